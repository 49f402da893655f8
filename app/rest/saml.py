"""Signing in by SAML: the way to the identity provider, the way back, and what is told of us."""

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from litestar import MediaType, Response, get, post

from app.access import Actor
from app.errors import IdentityError
from app.federation.errors import CodeChallengeInvalid
from app.federation.saml.errors import SamlDomainUnknown, SamlOff
from app.federation.saml.values import SamlAnswer, SamlSignIn
from app.http.body import MAX_SAML
from app.http.browsers import kept, secrets_of
from app.rest.browsing import Asking, asked_by, query, sent_to
from app.rest.browsing import form as form_of
from app.rest.given import Callers, Services

if TYPE_CHECKING:  # it brings the packages of an extra
    from app.federation.saml.service import Saml

CALLBACK = "/saml/callback"
_LONGEST = 4096
_ASKED = dict.fromkeys(("domain", "redirect_to", "code_challenge", "ticket", "cert_only"), _LONGEST)
_ANSWER = {"SAMLResponse": MAX_SAML, "RelayState": 1024}
_METADATA = "application/samlmetadata+xml"
_PEM = "application/x-pem-file"


@get("/saml/auth", status_code=HTTPStatus.TEMPORARY_REDIRECT, tags=["saml"])
async def begin(request: Asking, services: Services, callers: Callers) -> Response[bytes]:
    """Send the browser to the identity provider of a `domain`, and back to `redirect_to`.

    A PKCE `code_challenge` (S256) binds the token that comes back to who keeps the verifier. No
    flow holds that token, so the challenge must be there, as at `/thirdparty/auth`.
    """
    saml, asked = _saml(services), asked_by(request)
    await services.rate_limits.charge(
        "flow", address=asked.address, actor=Actor(origin=asked.origin)
    )
    given = query(asked, _ASKED) or {}
    domain, challenge = given.get("domain", ""), given.get("code_challenge", "")
    redirect_to = given.get("redirect_to", "")
    wanted = SamlSignIn(domain, redirect_to, "token_exchange", code_challenge=challenge)
    try:
        if not challenge:
            raise CodeChallengeInvalid(path=("code_challenge",))
        await saml.get_ready(domain)
        begun = await saml.begin(wanted)
    except IdentityError as error:
        refused = await saml.refused(Actor(origin=asked.origin), error)
        return sent_to(refused.redirect_url, HTTPStatus.SEE_OTHER)
    cookie = kept(secrets_of(asked, callers.cookie).having(begun.browser_secret), callers.cookie)
    return sent_to(begun.redirect_url, HTTPStatus.TEMPORARY_REDIRECT, cookie)


@get("/saml/form", include_in_schema=False)
async def form(request: Asking, services: Services) -> Response[Any]:
    """Show the page that posts a request, for a provider that takes no redirects (SEC-093)."""
    saml, asked = _saml(services), asked_by(request)
    await services.rate_limits.charge(
        "flow", address=asked.address, actor=Actor(origin=asked.origin)
    )
    ticket = (query(asked, _ASKED) or {}).get("ticket", "")
    try:
        page = await saml.form(ticket)
    except IdentityError as error:
        refused = await saml.refused(Actor(origin=asked.origin), error)
        return sent_to(refused.redirect_url, HTTPStatus.SEE_OTHER)
    headers = {"content-security-policy": page.policy}
    return Response(page.html.encode(), media_type=MediaType.HTML, headers=headers)


@post(
    CALLBACK,
    status_code=HTTPStatus.SEE_OTHER,
    request_max_body_size=MAX_SAML,
    tags=["saml"],
)
async def finish(request: Asking, services: Services, callers: Callers) -> Response[bytes]:
    """Take a form with `SAMLResponse` and `RelayState`, and send the browser on (SEC-082)."""
    saml, asked = _saml(services), asked_by(request)
    given = await form_of(request, _ANSWER) or {}
    await services.rate_limits.charge(
        "flow", address=asked.address, actor=Actor(origin=asked.origin)
    )
    answer = SamlAnswer(given.get("SAMLResponse", ""), given.get("RelayState", ""))
    secrets = secrets_of(asked, callers.cookie)
    shown = replace(answer, browser_secret=secrets.of_state(answer.state))
    finished = await saml.finish(Actor(origin=asked.origin), shown)
    left = [kept(secrets.without(answer.state), callers.cookie)] if finished.forgets_browser else []
    return sent_to(finished.redirect_url, HTTPStatus.SEE_OTHER, *left)


@get("/saml/metadata", tags=["saml"])
async def metadata(request: Asking, services: Services) -> Response[bytes]:
    """Give our metadata for the provider of a `domain`, or with `cert_only` our certificates."""
    saml, asked = _saml(services), asked_by(request)
    given = query(asked, _ASKED) or {}
    domain = given.get("domain", "")
    if saml.provider_for_address(f"a@{domain}") is None:
        raise SamlDomainUnknown
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", services.config.service.name).strip("-") or "sekisho"
    if given.get("cert_only") in ("true", "1"):
        own = await saml.own_certificates()
        content = "".join(one.pem for one in own).encode()
        return _file(content, _PEM, f"{name}-service-provider.pem")
    return _file(await saml.metadata(domain), _METADATA, f"{name}-metadata.xml")


def _saml(services: Services) -> "Saml":
    """Give the service provider.

    Raises:
        SamlOff: There is none.
    """
    if services.saml is None:
        raise SamlOff
    return services.saml


def _file(content: bytes, media_type: str, name: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)
