"""A deployment with SAML, and a browser that goes to a provider and comes back."""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import msgspec
from federation.providers import VERIFIER
from federation.saml.idp import AUDIENCE, ENDPOINT, Idp, encoded

from app.access import SYSTEM
from app.assembly import Services, assemble
from app.config import Config
from app.config.saml_sections import IdentityProvider, Saml, SamlOptions
from app.config.sections import AccountRules, Privacy
from app.federation.pkce import challenge_of
from app.federation.saml.service import PREFIX, SamlAnswer, SamlSignIn
from app.federation.saml.service import Saml as Service

TARGET = "https://app.example.com/in"
DEFAULT = "https://app.example.com/login"


def config_of(base: Config, *providers: IdentityProvider, **options: Any) -> Config:
    """A configuration with these providers."""
    return msgspec.structs.replace(
        base,
        saml=Saml(
            enabled=True,
            endpoint_url=ENDPOINT,
            audience_uri=AUDIENCE,
            default_redirect_url=DEFAULT,
            allowed_redirect_urls=[TARGET],
            options=SamlOptions(**options),
            identity_providers=list(providers),
        ),
        privacy=Privacy(show_account_existence_hints=True),
        account=AccountRules(allow_signup=True),
    )


def provider(idp: Idp, **given: Any) -> IdentityProvider:
    """The provider as the settings name it."""
    told = {
        "enabled": True,
        "name": "Acme AD",
        "domain": "acme.example",
        "metadata": idp.metadata(),
    }
    return IdentityProvider(**{**told, **given})


async def deployed(config: Config, clock: Any) -> Services:
    """The services of a configuration, ready."""
    assembled = assemble(config, clock=clock)
    await assembled.signing_keys.load()
    assert assembled.saml is not None
    await assembled.saml.open()
    return assembled


def saml_of(services: Services) -> Service:
    assert services.saml is not None
    return services.saml


async def begun(services: Services, **given: Any) -> tuple[str, str, str]:
    """Begin a sign-in; give where the browser goes, its secret, and the relay state."""
    told = {"domain": "acme.example", "redirect_to": TARGET, "kind": "token_exchange", **given}
    if told["kind"] == "token_exchange":
        told.setdefault("code_challenge", challenge_of(VERIFIER))
    saml = saml_of(services)
    await saml.get_ready(told["domain"])
    made = await saml.begin(SamlSignIn(**told))
    query = parse_qs(urlsplit(made.redirect_url).query)
    return made.redirect_url, made.browser_secret, query.get("RelayState", [""])[0]


async def pending_request(services: Services, relay_state: str, secret: str) -> str:
    """Look up the id of the request that a relay state belongs to, and put it back."""
    states = services.federation.states
    state = relay_state.removeprefix(PREFIX)
    pending = await states.take(state, secret)
    from app.federation.states import _digest  # noqa: PLC0415  # the row is put back as it was

    await states._add(_digest("state", state, secret), pending)
    return pending.request_id


async def answered(
    services: Services, tree: Any, relay_state: str = "", secret: str = ""
) -> dict[str, str]:
    """Bring a response, and give what the browser is sent on with."""
    answer = SamlAnswer(encoded(tree), relay_state, secret)
    done = await saml_of(services).finish(SYSTEM, answer)
    return told(done.redirect_url)


def told(url: str) -> dict[str, str]:
    """What a redirect says, with where it leads under `to`."""
    parts = urlsplit(url)
    found = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {"to": f"{parts.scheme}://{parts.netloc}{parts.path}", **found}


async def round_trip(services: Services, idp: Idp, **given: Any) -> dict[str, str]:
    """Begin, sign in at the provider, and come back; keywords are the assertion's."""
    _, secret, relay_state = await begun(services)
    request_id = await pending_request(services, relay_state, secret)
    assertion = idp.assertion(**{"id": f"_{uuid4().hex}", "in_response_to": request_id, **given})
    tree = idp.response(idp.sign(assertion), id=f"_{uuid4().hex}", in_response_to=request_id)
    return await answered(services, tree, relay_state, secret)
