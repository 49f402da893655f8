"""The client of an OAuth 2 provider (RFC 6749, RFC 7636), by Authlib over the guarded transport."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from app.federation.answers import object_of, value_of
from app.federation.connector import Answer, Start
from app.federation.errors import CodeNotExchanged, ProviderUnreachable, UserDataUnusable
from app.outbound import Outbound, client_settings
from app.strictjson import Json

_CODE = re.compile(r"[\x20-\x7e]{1,4096}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was exchanged for; it is dropped when the user's data are read (SEC-017)."""

    access_token: str = field(repr=False)
    id_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """This deployment, as one provider knows it.

    Attributes:
        outbound: What requests go through.
        client_id: The id that the provider has given out.
        secret: Gives the client secret of the moment.
        redirect_uri: Our callback.
        scopes: What is asked for.
        parameters: What else stands in an authorization request.
        auth_method: How the secret is shown: `client_secret_basic` or `client_secret_post`.
        sends_challenge: Whether PKCE is sent to the authorization endpoint (SEC-075).
        sends_verifier: Whether the token endpoint takes the verifier.
    """

    outbound: Outbound
    client_id: str
    secret: Callable[[], str]
    redirect_uri: str
    scopes: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    auth_method: str = "client_secret_post"
    sends_challenge: bool = True
    sends_verifier: bool = True

    def authorization_url(self, endpoint: str, start: Start, *, nonce: bool = False) -> str:
        """Give where a browser is sent, spaces written as `%20`, which everybody reads."""
        given: dict[str, str] = dict(self.parameters)
        if nonce:
            given["nonce"] = start.nonce
        if self.sends_challenge:
            given |= {"code_challenge": start.code_challenge, "code_challenge_method": "S256"}
        url, _ = self._client().create_authorization_url(endpoint, state=start.state, **given)
        return str(url).replace("+", "%20")

    async def exchange(self, endpoint: str, answer: Answer) -> Tokens:
        """Exchange the code.

        Raises:
            CodeNotExchanged: The provider gives nothing for it, or no tokens.
            ProviderUnreachable: It does not answer.
        """
        if not _CODE.fullmatch(answer.code):
            raise CodeNotExchanged
        given = {"code": answer.code, "grant_type": "authorization_code"}
        if self.sends_challenge and self.sends_verifier:
            given["code_verifier"] = answer.code_verifier
        client = self._client(self.secret())
        client.register_compliance_hook("access_token_response", _checked)
        try:
            found = await client.fetch_token(endpoint, **given)
        except httpx2.TransportError as error:
            raise ProviderUnreachable from error
        except (AuthlibBaseError, ValueError, TypeError, OverflowError) as error:
            raise CodeNotExchanged from error
        return _tokens(found)

    async def fetch(self, url: str, tokens: Tokens, query: Mapping[str, str] | None = None) -> Json:
        """Ask for the user's data.

        Raises:
            UserDataUnusable: The answer is no JSON of success.
            ProviderUnreachable: There is none.
        """
        headers = {
            "Authorization": f"Bearer {tokens.access_token}",
            "Accept": "application/json",
        }
        try:
            answer = await self.outbound.client.get(url, headers=headers, params=query)
        except httpx2.TransportError as error:
            raise ProviderUnreachable from error
        return value_of(answer, UserDataUnusable)

    def _client(self, secret: str = "") -> Any:  # noqa: ANN401  # Authlib has no types
        return AsyncOAuth2Client(
            client_id=self.client_id,
            client_secret=secret,
            token_endpoint_auth_method=self.auth_method,
            scope=" ".join(self.scopes),
            redirect_uri=self.redirect_uri,
            **client_settings(self.outbound.transport),
        )


def _checked(answer: httpx2.Response) -> httpx2.Response:
    """See that a token endpoint's answer is a JSON object of success before it is read."""
    object_of(answer, CodeNotExchanged)
    return answer


def _tokens(found: Mapping[str, Json]) -> Tokens:
    access_token, id_token = found.get("access_token"), found.get("id_token")
    kind = found.get("token_type", "bearer")
    if not isinstance(access_token, str) or not _TOKEN.fullmatch(access_token):
        raise CodeNotExchanged
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise CodeNotExchanged
    return Tokens(access_token, id_token if isinstance(id_token, str) else None)
