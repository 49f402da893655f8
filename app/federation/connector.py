"""What a provider asserts, and the protocol that every connector speaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from app.strictjson import Json


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, as sign-in pages list it.

    Attributes:
        id: Its name everywhere: `google`, `custom_corp`, or a SAML entity id.
        display_name: What users read.
        allow_linking: Whether an identity may join an account of the same, verified address.
        is_saml: Whether it asserts people by SAML.
    """

    id: str
    display_name: str
    allow_linking: bool
    is_saml: bool = False


@dataclass(frozen=True, slots=True)
class OutsideIdentity:
    """Who somebody is at a provider; only `provider`, `issuer` and `subject` tell (SEC-080).

    Attributes:
        provider: The provider's id.
        issuer: Who vouches: the ID token's `iss`, or a constant of the provider.
        subject: The identifier of the person there, never reassigned.
        email: The address as the provider wrote it, if any.
        email_verified: Whether the provider vouches for the address (SEC-078, SEC-081).
        claims: The standard claims of OpenID Connect Core section 5.1 and the provider's own,
            without empty ones. No token is among them (SEC-017).
    """

    provider: str
    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    claims: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Start:
    """What an authorization request carries.

    Attributes:
        state: At least 128 random bits that come back (SEC-074).
        nonce: What an ID token has to repeat (SEC-076).
        code_challenge: S256 of the verifier (RFC 7636; SEC-075).
    """

    state: str
    nonce: str
    code_challenge: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from the provider, and what it has to fit.

    Attributes:
        code: The authorization code.
        code_verifier: The verifier whose challenge was sent.
        nonce: The nonce that was sent.
        issuer: The parameter `iss` of RFC 9207, None where it did not come.
        user: Apple's form member `user`, JSON text that comes once only; None elsewhere.
    """

    code: str = field(repr=False)
    code_verifier: str = field(repr=False)
    nonce: str
    issuer: str | None = None
    user: str | None = None


class Connector(Protocol):
    """One OAuth or OpenID Connect provider."""

    @property
    def provider(self) -> Provider:
        """The provider."""

    async def get_ready(self) -> None:
        """Learn what has to be learned over the network before a start, such as discovery.

        What is learned is kept for a while. It must run outside of a transaction.

        Raises:
            ProviderUnreachable: It cannot be learned now.
        """

    def authorization_url(self, start: Start) -> str:
        """Give the address that the browser is sent to; `get_ready` has run."""

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the parameter `iss` of an answer, of one that reports an error too (RFC 9207 §2.4).

        Raises:
            IssuerMismatch: It names another provider, or is missing where it has to be (SEC-079).
            ProviderUnreachable: It cannot be known now.
        """

    async def identify(self, answer: Answer) -> OutsideIdentity:
        """Redeem the code and read who it is, over the network.

        Raises:
            CodeNotExchanged, UserDataUnusable: The provider's answer is refused (RFC 9700).
            ProviderUnreachable: There is no answer.
        """

    async def identify_by_token(self, id_token: str, nonce: str) -> OutsideIdentity:
        """Read an ID token that an application got by itself (native sign-in, One Tap).

        The token's `nonce` must be the one given, or its SHA-256 in hexadecimal, as mobile kits
        send it.

        Raises:
            IdTokensNotTaken: The provider issues none.
            UserDataUnusable: The token is refused (SEC-076, SEC-077).
        """
