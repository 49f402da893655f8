"""Doubles of the providers: they answer as each does, and misbehave where a test tells them to."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from federation.connectors.loopback import Asked, Loopback, Reply

from app import base64url
from app.config.federation_sections import ThirdParty
from app.config.load import convert
from app.federation.discovery import Metadata
from app.federation.making import Places

CLIENT_ID = "our-client"
SECRET = "SECRETCLIENTWORD"
CODE = "SECRETCODEWORD"
ACCESS_TOKEN = "SECRETACCESSTOKEN"
VERIFIER = "SECRETVERIFIER-0123456789-0123456789-0123456789"
NONCE = "a-nonce-of-256-bits"
TENANT = "11111111-2222-3333-4444-555555555555"
REDIRECT = "https://id.example.com/thirdparty/callback"
EMAIL = "Ada@example.com"
DISCOVERY = "/.well-known/openid-configuration"


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def pem_of(key) -> str:
    kind = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()


def jwk_of(key, kid: str | None = "one", **members) -> dict:
    kind = jwt.algorithms.RSAAlgorithm
    if isinstance(key, ec.EllipticCurvePrivateKey):
        kind = jwt.algorithms.ECAlgorithm
    found = kind.to_jwk(key.public_key(), as_dict=True)
    found.pop("key_ops", None)
    return found | ({"kid": kid} if kid else {}) | {"use": "sig"} | members


def half_of(text: str) -> str:
    return base64url.encode(hashlib.sha256(text.encode()).digest()[:16])


@dataclass
class Double:
    """A provider on loopback.

    `claims` stand in the ID token, `person` in the answer about the user; `keys` are published;
    `token` is what the token endpoint answers beside the ID token.
    """

    server: Loopback
    claims: dict = field(default_factory=dict)
    person: object = None
    emails: object = None
    keys: list = field(default_factory=lambda: [jwk_of(rsa_key())])
    header: dict = field(default_factory=lambda: {"alg": "RS256", "kid": "one", "typ": "JWT"})
    signing: object = field(default_factory=rsa_key)
    discovery: dict = field(default_factory=dict)
    token: dict = field(default_factory=dict)
    id_token: str | None = None
    has_id_token: bool = True

    def sign(self) -> str:
        """Sign the claims as they are, whatever is wrong with them."""
        if self.id_token is not None:
            return self.id_token
        parts = [json.dumps(part).encode() for part in (self.header, self.claims)]
        data = ".".join(map(base64url.encode, parts)).encode()
        algorithm = jwt.get_algorithm_by_name(self.header["alg"])
        signature = algorithm.sign(data, algorithm.prepare_key(self.signing))
        return f"{data.decode()}.{base64url.encode(signature)}"

    def answer_token(self, asked: Asked) -> Reply:
        given = {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600}
        if self.has_id_token:
            given["id_token"] = self.sign()
        return Reply(given | self.token)

    def answer_discovery(self, asked: Asked) -> Reply:
        url = self.server.url
        known = {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "userinfo_endpoint": f"{url}/user",
            "jwks_uri": f"{url}/keys",
        }
        return Reply(known | self.discovery)

    def answer_user(self, asked: Asked) -> Reply:
        known = asked.headers.get("authorization") == f"Bearer {ACCESS_TOKEN}"
        return Reply(self.person) if known else Reply({"error": "invalid_token"}, 401)

    def attach(self) -> None:
        self.server.paths |= {
            "/token": self.answer_token,
            "/keys": lambda asked: Reply({"keys": self.keys}),
            "/user": self.answer_user,
            "/user/emails": lambda asked: Reply(self.emails),
            DISCOVERY: self.answer_discovery,
        }

    def metadata(self, **changes) -> Metadata:
        url = self.server.url
        known = Metadata(url, f"{url}/authorize", f"{url}/token", f"{url}/keys", f"{url}/user")
        return replace(known, **changes)

    def places(self) -> Places:
        metadata = self.metadata()
        return Places(
            apple=metadata,
            discord=metadata,
            github=metadata,
            google=metadata,
            linkedin=self.server.url,
            microsoft=self.metadata(issuer=f"{self.server.url}/{{tenantid}}/v2.0"),
            facebook=metadata,
        )


@dataclass(frozen=True)
class Case:
    """A provider of the conformance suite.

    Attributes:
        name: Its id.
        steps: The paths it is asked at, in their order.
        prepare: Makes its double say who it is.
        settings: Its own settings beside the usual ones.
    """

    name: str
    steps: tuple[str, ...]
    prepare: Callable[[Double], None]
    subject: str
    settings: dict = field(default_factory=dict)
    is_oidc: bool = False
    asks_userinfo: bool = False
    sends_verifier: bool = True

    def third_party(self, url: str, callback: str = REDIRECT) -> ThirdParty:
        usual = {"enabled": True, "client_id": CLIENT_ID, "secret": SECRET}
        if not self.name.startswith("custom_"):
            providers = {"providers": {self.name: usual | self.settings}}
        else:
            own = {"display_name": "Own", "scopes": ["openid", "email"]}
            filled = {
                k: v.replace("URL", url) if isinstance(v, str) else v
                for k, v in self.settings.items()
            }
            key = self.name.removeprefix("custom_")
            providers = {"custom_providers": {key: usual | own | filled}}
        return convert({"third_party": {"redirect_url": callback, **providers}}).third_party


def claims_of(double: Double, **more) -> dict:
    now = int(time.time())
    return {
        "iss": double.server.url,
        "sub": "person-1",
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 600,
        "nonce": NONCE,
        "at_hash": half_of(ACCESS_TOKEN),
        "email": EMAIL,
        "email_verified": True,
        **more,
    }


def as_google(double: Double) -> None:
    double.claims = claims_of(
        double, name="Ada L", given_name="Ada", family_name="L", picture="https://x.example/p"
    )


def as_apple(double: Double) -> None:
    double.claims = claims_of(double, email_verified="true", nonce_supported=True)


def as_microsoft(double: Double) -> None:
    issuer = f"{double.server.url}/{TENANT}/v2.0"
    double.claims = claims_of(double, iss=issuer, tid=TENANT, xms_edov=True, name="Ada L")
    del double.claims["email_verified"]
    double.keys = [jwk_of(rsa_key(), issuer=f"{double.server.url}/{{tenantid}}/v2.0")]


def as_linkedin(double: Double) -> None:
    double.has_id_token = False
    double.person = {
        "sub": "person-1",
        "email": EMAIL,
        "email_verified": True,
        "name": "Ada L",
        "locale": {"country": "GB", "language": "en"},
    }


def as_github(double: Double) -> None:
    double.has_id_token = False
    double.person = {
        "id": 583231,
        "login": "ada",
        "name": "Ada L",
        "avatar_url": "https://x.example/a",
    }
    double.emails = [
        {"email": "other@example.com", "primary": False, "verified": True},
        {"email": EMAIL, "primary": True, "verified": True},
    ]


def as_discord(double: Double) -> None:
    double.has_id_token = False
    double.person = {
        "id": "80351110224678912",
        "email": EMAIL,
        "verified": True,
        "global_name": "Ada L",
        "avatar": "8342729096ea3675442027381ff50dfe",
    }


def as_facebook(double: Double) -> None:
    double.has_id_token = False
    double.person = {
        "id": "10158",
        "email": EMAIL,
        "name": "Ada L",
        "first_name": "Ada",
        "last_name": "L",
        "picture": {"data": {"url": "https://x.example/f"}},
    }


def as_own_oidc(double: Double) -> None:
    double.claims = claims_of(double)
    double.person = {"sub": "person-1", "name": "Ada L", "department": "Engines"}


def as_own_keyed(double: Double) -> None:
    double.claims = claims_of(double, name="Ada L")


def as_own_oauth(double: Double) -> None:
    double.has_id_token = False
    double.person = {"user": {"id": 7}, "login": "ada", "email": EMAIL, "email_verified": "true"}


CASES = [
    Case("apple", ("/token", "/keys"), as_apple, "person-1", is_oidc=True),
    Case("discord", ("/token", "/user"), as_discord, "80351110224678912"),
    Case("github", ("/token", "/user", "/user/emails"), as_github, "583231"),
    Case("google", ("/token", "/keys"), as_google, "person-1", is_oidc=True),
    Case("linkedin", (DISCOVERY, "/token", "/user"), as_linkedin, "person-1", sends_verifier=False),
    Case("microsoft", ("/token", "/keys"), as_microsoft, "person-1", is_oidc=True),
    Case("facebook", ("/token", "/user"), as_facebook, "10158"),
    Case(
        "custom_corp",
        (DISCOVERY, "/token", "/keys", "/user"),
        as_own_oidc,
        "person-1",
        settings={"use_discovery": True, "issuer": "URL"},
        is_oidc=True,
        asks_userinfo=True,
    ),
    Case(
        "custom_keyed",
        ("/token", "/keys"),
        as_own_keyed,
        "person-1",
        settings={
            "issuer": "URL",
            "authorization_endpoint": "URL/authorize",
            "token_endpoint": "URL/token",
            "jwks_uri": "URL/keys",
        },
        is_oidc=True,
    ),
    Case(
        "custom_forum",
        ("/token", "/user"),
        as_own_oauth,
        "7",
        settings={
            "authorization_endpoint": "URL/authorize",
            "token_endpoint": "URL/token",
            "userinfo_endpoint": "URL/user",
            "attribute_mapping": {"sub": "user.id", "preferred_username": "login"},
        },
    ),
]
BY_NAME = {case.name: case for case in CASES}
