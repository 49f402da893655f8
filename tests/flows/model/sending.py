"""What a client can send for an action, right and wrong, and what it proves by that."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from flows.model.doubles import CODE, FRESH, GOOD, RECOVERY, RIGHT, TARGET, VERIFIED
from flows.model.world import ADA, EVE, OTHER_SESSION, User, World, identity_of

from app import base64url

Proof = Literal[
    *("password", "mail", "passkey", "verified_passkey", "security_key", "totp", "recovery_code"),
    "provider",
]
"""What only the owner of an account can show. Passkeys are of two kinds: with the user verified by
the device, and without."""

NOBODY = ("nobody@example.com", "nobody")
FREE = ("new@example.com", "newname")
TAKEN = ("eve@example.com", "eve")


@dataclass(frozen=True, slots=True)
class Sent:
    """Values for the inputs of an action."""

    label: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    proof: Proof | None = None
    of: int = 0
    """Whose proof it is."""


def sendings(action: str, world: World) -> list[Sent]:
    """List what can be sent for an action in a world."""
    given = _GIVEN.get(action)
    return list(given(world)) if given is not None else [Sent()]


def _devices(_: World) -> Iterator[Sent]:
    names = (
        "webauthn_available",
        "webauthn_platform_authenticator_available",
        "webauthn_conditional_mediation_available",
    )
    for label, can in (("none", 0), ("webauthn", 1), ("platform", 3)):
        yield Sent(label, dict(zip(names, (can > 0, can > 1, can > 1), strict=True)))


def _identifiers(world: World) -> Iterator[Sent]:
    ada = world.user(ADA)
    named = ada if ada is None or ada.addresses or ada.username else None
    yield from _named("", named, world.domain)
    eve = world.user(EVE)
    if eve is not None:
        yield from _named("eve's ", eve)


def _named(whose: str, user: User | None, domain: str = "") -> Iterator[Sent]:
    address, name = f"nobody@{domain}", NOBODY[1]
    if user is not None:
        address = user.addresses[0].text if user.addresses else ""
        name = user.username or ""
    for label, typed in (("address", address), ("name", name)):
        if typed:
            values = {"identifier": typed, "email" if label == "address" else "username": typed}
            yield Sent(whose + label, values)


def _passwords(world: World) -> Iterator[Sent]:
    yield Sent("wrong", {"password": "wrong"})
    ada = world.user(ADA)
    if ada is not None and ada.password:
        typed = RIGHT if ada.password == 1 else FRESH
        # a password that the flow itself has set proves nothing more
        yield Sent("right", {"password": typed}, "password" if ada.password == 1 else None, ADA.int)


def _codes(world: World) -> Iterator[Sent]:
    yield Sent("wrong", {"code": "000000"})
    code = world.code
    if code is not None and not code.is_decoy:
        owner = world.by_address(code.binding[2])
        mine = owner is None or owner.id == ADA
        yield Sent("right", {"code": CODE}, "mail" if mine else None, ADA.int)


def _assertions(world: World) -> Iterator[Sent]:
    yield Sent("garbage", {"assertion_response": "{}"})
    for user in world.users:
        for key in user.keys:
            mine = user.id == ADA and not key.name.startswith("new")
            whose = "" if user.id == ADA else "eve's "
            for is_verified in (False,) if key.is_mfa_only else (False, True):
                data = GOOD + (VERIFIED if is_verified else b"")
                response = {"clientDataJSON": base64url.encode(data), "authenticatorData": ""}
                response["signature"] = ""
                value = {"id": key.name, "rawId": key.name, "type": "public-key"}
                given = {"assertion_response": value | {"response": response}}
                proof: Proof = "verified_passkey" if is_verified else "passkey"
                proof = "security_key" if key.is_mfa_only else proof
                yield Sent(whose + proof, given, proof if mine else None, user.id.int)


def _attestations(_: World) -> Iterator[Sent]:
    yield Sent("garbage", {"public_key": "{}"})
    response = {"clientDataJSON": base64url.encode(GOOD), "attestationObject": "", "transports": []}
    value = {"id": "anything", "rawId": "anything", "type": "public-key", "response": response}
    yield Sent("good", {"public_key": value})


def _app_codes(_: World) -> Iterator[Sent]:
    yield Sent("wrong", {"otp_code": "000000"})
    yield Sent("right", {"otp_code": CODE}, "totp", ADA.int)


def _app_proofs(_: World) -> Iterator[Sent]:
    yield Sent("wrong", {"otp_code": "000000"})
    yield Sent("right", {"otp_code": CODE})


def _recovery_codes(_: World) -> Iterator[Sent]:
    yield Sent("wrong", {"recovery_code": "wrong"})
    yield Sent("right", {"recovery_code": RECOVERY}, "recovery_code", ADA.int)


def _new_passwords(_: World) -> Iterator[Sent]:
    yield Sent("good", {"new_password": FRESH, "password": FRESH})
    yield Sent("empty", {})


def _new_addresses(world: World) -> Iterator[Sent]:
    yield Sent("free", {"email": FREE[0]})
    yield Sent("taken", {"email": TAKEN[0]})
    yield Sent("empty", {})


def _sign_ups(world: World) -> Iterator[Sent]:
    yield Sent("both", {"email": FREE[0], "username": FREE[1]})
    yield Sent("address", {"email": FREE[0]})
    yield Sent("name", {"username": FREE[1]})
    yield Sent("taken address", {"email": TAKEN[0], "username": FREE[1]})
    yield Sent("taken name", {"email": FREE[0], "username": TAKEN[1]})
    yield Sent("nothing")


def _ids_of_addresses(world: World) -> Iterator[Sent]:
    ada = world.user(ADA)
    for address in ada.addresses if ada else ():
        yield Sent(address.text, {"email_id": str(address.id)})
    yield Sent("unknown", {"email_id": str(EVE)})


def _ids_of_keys(world: World) -> Iterator[Sent]:
    ada = world.user(ADA)
    for name in (*(key.name for key in (ada.keys if ada else ())), "unknown0"):
        yield Sent(name, {"passkey_id": name, "security_key_id": name, "passkey_name": "a key"})


def _choices(_: World) -> Iterator[Sent]:
    yield Sent("yes", {"remember_me": True})
    yield Sent("no", {"remember_me": False})


def _names(_: World) -> Iterator[Sent]:
    yield Sent("free", {"username": FREE[1]})
    yield Sent("taken", {"username": TAKEN[1]})


def _sessions(_: World) -> Iterator[Sent]:
    yield Sent("other", {"session_id": str(OTHER_SESSION)})


def _providers(_: World) -> Iterator[Sent]:
    yield Sent("google", {"provider": "google", "redirect_to": TARGET})
    yield Sent("elsewhere", {"provider": "google", "redirect_to": "https://evil.example"})
    yield Sent("unknown", {"provider": "nobody", "redirect_to": TARGET})


def _tokens(world: World) -> Iterator[Sent]:
    """Tokens of whoever may come back from a provider; see `token_of`.

    Who is somebody else altogether is met where nobody else is.
    """
    yield Sent("bad", {"token": "bad"})
    ada = world.user(ADA)
    if ada is None:
        address = f"nobody@{world.domain}"
        yield Sent("stranger", {"token": token_of("google/stranger", address)})
        yield Sent("somebody new", {"token": token_of("google/new", FREE[0], is_vouched=True)})
        yield Sent("somebody unvouched", {"token": token_of("google/new", FREE[0])})
        yield Sent("somebody bare", {"token": token_of("google/new")})
    if world.user(EVE) is not None:
        yield Sent("eve", {"token": token_of("google/eve", TAKEN[0], is_vouched=True)})
    if ada is not None:
        yield from _tokens_of(ada)


def _tokens_of(ada: User) -> Iterator[Sent]:
    """Tokens of Ada, and of a stranger who has given her address."""
    address = ada.addresses[0].text if ada.addresses else ""
    for identity in ada.identities:
        token = token_of(identity, address, is_vouched=identity.startswith("google"))
        yield Sent(f"ada {identity}", {"token": token}, "provider", ADA.int)
    if address:
        yield Sent("stranger", {"token": token_of("google/stranger", address)})
        if "google/ada" not in ada.identities:
            token = token_of("google/ada", address, is_vouched=True)
            yield Sent("ada for the first time", {"token": token}, "provider", ADA.int)


def token_of(identity: str, address: str = "", *, is_vouched: bool = False) -> str:
    """What the doubles take for a token: who it is, with which address."""
    return f"{identity} {address} {'vouched' if is_vouched else ''}"


def _identities(world: World) -> Iterator[Sent]:
    ada = world.user(ADA)
    for one in ada.identities if ada else ():
        yield Sent(one, {"identity_id": str(identity_of(ADA, one).id)})
    yield Sent("unknown", {"identity_id": str(EVE)})


def _patches(_: World) -> Iterator[Sent]:
    yield Sent("patch", {"patch_metadata": {"a": 1}})
    yield Sent("no object", {"patch_metadata": 1})


_GIVEN = {
    "register_client_capabilities": _devices,
    "continue_with_login_identifier": _identifiers,
    "password_login": _passwords,
    "verify_passcode": _codes,
    "webauthn_verify_assertion_response": _assertions,
    "webauthn_verify_attestation_response": _attestations,
    "otp_code_validate": _app_codes,
    "otp_code_verify": _app_proofs,
    "recovery_code_validate": _recovery_codes,
    "password_recovery": _new_passwords,
    "register_password": _new_passwords,
    "password_create": _new_passwords,
    "password_update": _new_passwords,
    "email_address_set": _new_addresses,
    "email_create": _new_addresses,
    "register_login_identifier": _sign_ups,
    "email_delete": _ids_of_addresses,
    "email_set_primary": _ids_of_addresses,
    "email_verify": _ids_of_addresses,
    "webauthn_credential_delete": _ids_of_keys,
    "webauthn_credential_rename": _ids_of_keys,
    "security_key_delete": _ids_of_keys,
    "username_create": _names,
    "username_update": _names,
    "remember_me": _choices,
    "session_delete": _sessions,
    "patch_metadata": _patches,
    "thirdparty_oauth": _providers,
    "connect_thirdparty_oauth_provider": _providers,
    "exchange_token": _tokens,
    "disconnect_thirdparty_oauth_provider": _identities,
}
