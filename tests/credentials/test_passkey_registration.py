"""Making passkeys and security keys: the ceremony of WebAuthn Level 3 §7.1, and each refusal."""

import asyncio
from uuid import UUID

import cbor2
import pytest
from credentials.authenticator import (
    BE,
    BS,
    EDDSA,
    ES256,
    ES512,
    RS256,
    RS384,
    RS512,
    UP,
    UV,
    Authenticator,
    attestation_certificate,
    b64,
    rsa_key,
    unb64,
)
from credentials.ceremonies import (
    begun,
    challenges,
    events,
    logged_in,
    passkey_of,
    person_of,
    registered,
)
from factories import make_user, reconfigured

from app.access import SYSTEM
from app.config.sections import Mfa, Passkey, RelyingParty, SecurityKeys, WebAuthn, WebAuthnTimeouts
from app.credentials.errors import (
    PasskeyInvalid,
    PasskeyLimitReached,
    PasskeysDisabled,
    WebAuthnResponseInvalid,
)
from app.credentials.passkey_values import Refused, Registered
from app.credentials.webauthn_json import read_registration
from app.errors import NotFound
from app.ids import new_id
from app.persistence import fetch

ROUNDS = 5


@pytest.fixture
async def ada(services):
    return await make_user(services, email="ada@example.com")


@pytest.fixture
def device():
    return Authenticator()


class TestOptions:
    async def test_a_passkey_is_asked_for_in_the_published_shape(self, services, ada):
        options = await begun(services, ada.id)
        assert len(unb64(options.pop("challenge"))) == 32
        assert options == {
            "rp": {"id": "localhost", "name": "Sekisho"},
            "user": {
                "id": b64(ada.id.bytes),
                "name": "ada@example.com",
                "displayName": "Ada",
            },
            "pubKeyCredParams": [
                {"type": "public-key", "alg": alg} for alg in (-7, -36, -257, -258, -259, -8)
            ],
            "timeout": 600_000,
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "preferred",
            },
            "attestation": "direct",
        }

    async def test_a_security_key_is_asked_for_with_less(self, services, ada):
        options = await begun(services, ada.id, "security_key")
        assert options["authenticatorSelection"] == {
            "authenticatorAttachment": "cross-platform",
            "residentKey": "discouraged",
            "requireResidentKey": False,
            "userVerification": "discouraged",
        }
        assert options["timeout"] == 120_000

    async def test_the_configuration_is_heard(self, services, ada):
        keys = SecurityKeys(
            attestation_preference="none",
            authenticator_attachment="no_preference",
            user_verification="required",
        )
        timeouts = WebAuthnTimeouts(registration=90_000, login=0)
        other = await reconfigured(
            services,
            passkey=Passkey(attestation_preference="indirect", user_verification="discouraged"),
            mfa=Mfa(security_keys=keys),
            webauthn=WebAuthn(
                relying_party=RelyingParty(id="example.com", display_name="Shop"),
                timeouts=timeouts,
            ),
        )
        passkey = await begun(other, ada.id)
        assert passkey["rp"] == {"id": "example.com", "name": "Shop"}
        assert (passkey["attestation"], passkey["timeout"]) == ("indirect", 90_000)
        assert passkey["authenticatorSelection"]["userVerification"] == "discouraged"
        key = await begun(other, ada.id, "security_key")
        assert key["attestation"] == "none"
        assert "authenticatorAttachment" not in key["authenticatorSelection"]
        assert key["authenticatorSelection"]["userVerification"] == "required"
        assert (await other.ceremonies.begin_login(both_factors=True))["timeout"] == 600_000

    async def test_what_the_user_has_is_excluded(self, services, ada, device):
        passkey = await passkey_of(services, ada.id, device)
        key = await passkey_of(services, ada.id, device, "security_key", transports=())
        assert (await begun(services, ada.id))["excludeCredentials"] == [
            {
                "type": "public-key",
                "id": passkey.credential_id,
                "transports": ["hybrid", "internal"],
            },
            {"type": "public-key", "id": key.credential_id},
        ]

    async def test_each_ceremony_has_its_own_challenge_kept_as_a_digest_sec_044(
        self, services, ada
    ):
        told = {(await begun(services, ada.id))["challenge"] for _ in range(20)}
        assert len(told) == 20
        kept = {row["digest"] for row in await fetch("SELECT digest FROM webauthn_challenge")}
        assert len(kept) == 20
        assert not kept & told
        assert all(len(digest) == 64 for digest in kept)

    async def test_what_is_switched_off_cannot_begin(self, services, ada):
        passkeys = await reconfigured(services, passkey=Passkey(enabled=False))
        keys = await reconfigured(services, mfa=Mfa(security_keys=SecurityKeys(enabled=False)))
        with pytest.raises(PasskeysDisabled):
            await begun(passkeys, ada.id)
        with pytest.raises(PasskeysDisabled):
            await begun(keys, ada.id, "security_key")
        assert await begun(passkeys, ada.id, "security_key")
        assert await begun(keys, ada.id)


class TestKept:
    async def test_a_passkey_is_kept_as_it_was_made(self, services, clock, ada, device):
        passkey = await passkey_of(services, ada.id, device, flags=UP | UV | BE | BS, count=3)
        made = device.credentials[0]
        assert passkey.credential_id == b64(made.id)
        assert passkey.public_key == cbor2.dumps(made.cose())
        assert (passkey.user_id, passkey.sign_count, passkey.kind) == (ada.id, 3, "passkey")
        assert passkey.aaguid == UUID(bytes=device.aaguid)
        assert (passkey.name, passkey.attestation_type) == ("Bitwarden", "none")
        assert passkey.transports == ("hybrid", "internal")
        assert (passkey.is_backup_eligible, passkey.is_backed_up) == (True, True)
        assert passkey.created_at == passkey.last_used_at == clock()
        assert await services.passkeys.list(ada.id) == [passkey]
        assert await events("passkey_created") == [
            {"passkey": passkey.credential_id, "format": "none"}
        ]

    async def test_a_security_key_is_kept_as_one(self, services, ada):
        device = Authenticator(aaguid=bytes(16))
        key = await passkey_of(services, ada.id, device, "security_key", flags=UP)
        assert (key.kind, key.is_mfa_only, key.name) == ("security_key", True, None)
        assert len(await events("security_key_created")) == 1
        assert await events("passkey_created") == []

    @pytest.mark.parametrize("algorithm", [ES256, EDDSA, ES512, RS256, RS384, RS512])
    @pytest.mark.parametrize("attestation", ["none", "self", "packed"])
    @pytest.mark.one_database
    async def test_every_algorithm_that_is_offered_signs_in_sec_049(
        self, services, ada, algorithm, attestation
    ):
        device = Authenticator(algorithm)
        passkey = await passkey_of(services, ada.id, device, attestation=attestation)
        assert passkey.attestation_type == ("none" if attestation == "none" else "packed")
        assert (await logged_in(services, device)).user_id == ada.id

    @pytest.mark.parametrize("kind", ["passkey", "security_key"])
    async def test_where_attestation_is_required_a_maker_must_speak_sec_051(
        self, services, ada, kind
    ):
        strict = await reconfigured(
            services,
            passkey=Passkey(attestation_required=True),
            mfa=Mfa(security_keys=SecurityKeys(attestation_required=True)),
        )
        for attestation in ("none", "self"):
            outcome = await registered(
                strict, ada.id, Authenticator(), kind, attestation=attestation
            )
            assert outcome == Refused("attestation")
        assert await strict.passkeys.list(ada.id) == []
        assert await passkey_of(strict, ada.id, Authenticator(), kind, **certified())

    @pytest.mark.one_database
    async def test_a_certificate_need_not_name_the_model_sec_051(self, services, ada, device):
        assert await passkey_of(services, ada.id, device, **certified(model=False))

    @pytest.mark.one_database
    async def test_extensions_of_an_authenticator_are_read_over(self, services, ada, device):
        extensions = cbor2.dumps({"credProtect": 2})
        assert await passkey_of(services, ada.id, device, extensions=extensions)

    @pytest.mark.one_database
    async def test_transports_that_nobody_knows_are_left_out(self, services, ada, device):
        told = ["usb", "telepathy", "usb", "internal"]
        passkey = await passkey_of(services, ada.id, device, transports=told)
        assert passkey.transports == ("usb", "internal")

    async def test_one_kept_apart_from_its_check_is_for_a_user_who_is_made_between(
        self, services, device
    ):
        user_id = new_id()
        options = await begun(services, user_id)
        response = read_registration(device.create(options))
        new = await services.ceremonies.check_registration(SYSTEM, user_id, response)
        with pytest.raises(NotFound):
            await services.passkeys.keep(SYSTEM, user_id, new)
        user = await make_user(services)
        kept = await services.passkeys.keep(SYSTEM, user.id, new)
        assert kept.passkey.user_id == user.id

    async def test_they_go_with_their_user_sec_122(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        await services.users.delete(SYSTEM, ada.id)
        assert await fetch("SELECT id FROM webauthn_credential") == []
        outcome = await logged_in(services, device)
        assert outcome == Refused("unknown")


def flipped(value: bytes, place: int = -1) -> bytes:
    changed = bytearray(value)
    changed[place] ^= 1
    return bytes(changed)


def with_key(**changes):
    """A COSE key of ours with some parameters changed, by their names."""
    places = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}
    key = Authenticator()
    key.create({"rp": {"id": "a"}, "user": {"id": ""}, "challenge": ""})
    return key.credentials[0].cose() | {places[k]: v for k, v in changes.items()}


def rsa_cose(bits: int = 2048, exponent: bytes = b"\x01\x00\x01", alg: int = RS256):
    number = rsa_key(bits).public_key().public_numbers().n
    return {1: 3, 3: alg, -1: number.to_bytes(bits // 8), -2: exponent}


def written_long():
    """A good key in which one number takes a byte too many."""
    key = cbor2.dumps(with_key())
    return key.replace(b"\x01\x02", b"\x01\x18\x02", 1)


def with_short(statement):
    """A statement whose chain goes on with a key of 1024 bits."""
    certificate = attestation_certificate(rsa_key(1024), bytes(16))
    return statement | {"x5c": [*statement["x5c"], certificate]}


def packed(**stated):
    """An attestation with a certificate whose statement says something else."""
    return {"attestation": "packed", "statement": lambda s: s | stated}


def certified(**said):
    """An attestation whose certificate says something else."""
    return {"attestation": "packed", "certificate": said}


FALSIFIED = [
    ("another ceremony", {"client": {"type": "webauthn.get"}}, "type", 46),
    ("no ceremony", {"client": {"type": ...}}, "type", 45),
    ("a ceremony that is no text", {"client": {"type": 1}}, "type", 45),
    ("another origin", {"origin": "https://evil.example"}, "origin", 46),
    ("our origin as a prefix", {"origin": "http://localhost:8888.evil.example"}, "origin", 46),
    (
        "our origin as a suffix",
        {"origin": "http://evil.example/http://localhost:8888"},
        "origin",
        46,
    ),
    ("a longer port", {"origin": "http://localhost:88888"}, "origin", 46),
    ("another scheme", {"origin": "https://localhost:8888"}, "origin", 46),
    ("a slash", {"origin": "http://localhost:8888/"}, "origin", 46),
    ("capitals", {"origin": "HTTP://LOCALHOST:8888"}, "origin", 46),
    ("no origin", {"client": {"origin": ...}}, "origin", 46),
    ("origins", {"client": {"origin": ["http://localhost:8888"]}}, "origin", 46),
    ("an embedded page", {"client": {"crossOrigin": True}}, "embedded", 46),
    ("a page around it", {"client": {"topOrigin": "http://localhost:8888"}}, "embedded", 46),
    ("crossOrigin that is a text", {"client": {"crossOrigin": "false"}}, "embedded", 46),
    ("another relying party", {"rp_id": "evil.example"}, "rp_id", 46),
    ("a subdomain", {"rp_id": "sub.localhost"}, "rp_id", 46),
    ("nobody present", {"flags": UV}, "user_presence", 47),
    ("backed up and not eligible", {"flags": UP | UV | BS}, "backup", 49),
    (
        "no credential",
        {"data": lambda d: d[:32] + bytes([UP | UV]) + d[33:37]},
        "credential_id",
        46,
    ),
    ("data cut short", {"data": lambda d: d[:-1]}, "authenticator_data", 52),
    ("data cut in the id", {"data": lambda d: d[:60]}, "authenticator_data", 52),
    ("data of a few bytes", {"data": lambda d: d[:36]}, "authenticator_data", 52),
    ("something behind the data", {"data": lambda d: d + b"\x00"}, "authenticator_data", 52),
    (
        "extensions announced",
        {"data": lambda d: d[:32] + b"\xc5" + d[33:]},
        "authenticator_data",
        52,
    ),
    ("deep extensions", {"extensions": b"\x81" * 9 + b"\x00"}, "authenticator_data", 52),
    ("an id of no bytes", {"data": lambda d: d[:53] + b"\0\0" + d[87:]}, "authenticator_data", 49),
    (
        "an id of 1024 bytes",
        {"data": lambda d: d[:53] + b"\4\0" + bytes(1024) + d[87:]},
        "authenticator_data",
        52,
    ),
    ("another id inside", {"data": lambda d: flipped(d, 60)}, "credential_id", 45),
    ("an object cut short", {"attestation_object": lambda o: o[:-1]}, "attestation", 52),
    ("something behind the object", {"attestation_object": lambda o: o + b"\0"}, "attestation", 52),
    (
        "an object without end",
        {"attestation_object": lambda o: b"\xbf" + o[1:] + b"\xff"},
        "attestation",
        52,
    ),
    ("a deep object", {"attestation_object": lambda _: b"\x81" * 1000}, "attestation", 52),
    ("no object", {"attestation_object": lambda _: b"\x80"}, "attestation", 52),
    ("an empty object", {"attestation_object": lambda _: b""}, "attestation", 52),
    ("a tagged object", {"attestation_object": lambda o: b"\xc0" + o}, "attestation", 52),
    ("an odd statement", {"statement": lambda _: []}, "attestation", 51),
    ("`none` that states something", {"statement": lambda _: {"ver": "1"}}, "attestation", 51),
    ("`none` that states nothing we know", {"statement": lambda _: {"a": 1}}, "attestation", 51),
    ("an unknown format", {"attestation": "compound"}, "attestation", 51),
    ("a format that was withdrawn", {"attestation": "android-safetynet"}, "attestation", 51),
    ("tpm without anything", {"attestation": "tpm"}, "attestation", 51),
    ("apple without anything", {"attestation": "apple"}, "attestation", 51),
    ("android-key without anything", {"attestation": "android-key"}, "attestation", 51),
    ("fido-u2f without anything", {"attestation": "fido-u2f"}, "attestation", 51),
    (
        "packed without anything",
        {"attestation": "packed", "statement": lambda _: {}},
        "attestation",
        51,
    ),
    (
        "a wrong signature of its own",
        {"attestation": "self", "statement": lambda s: s | {"sig": flipped(s["sig"])}},
        "attestation",
        51,
    ),
    (
        "another algorithm of its own",
        {"attestation": "self", "statement": lambda s: s | {"alg": RS256}},
        "attestation",
        51,
    ),
    (
        "a wrong signature",
        {"attestation": "packed", "statement": lambda s: s | {"sig": flipped(s["sig"])}},
        "attestation",
        51,
    ),
    ("an algorithm of another kind", packed(alg=EDDSA), "attestation", 51),
    ("no certificates", packed(x5c=[]), "attestation", 51),
    ("a certificate that is none", packed(x5c=[b"\x30\x00"]), "attestation", 51),
    ("a certificate that is a number", packed(x5c=[1]), "attestation", 51),
    (
        "many certificates",
        {"attestation": "packed", "statement": lambda s: s | {"x5c": s["x5c"] * 7}},
        "attestation",
        51,
    ),
    ("a certificate of another unit", certified(unit="Web"), "attestation", 51),
    ("an authority's certificate", certified(ca=True), "attestation", 51),
    ("a certificate without constraints", certified(basic=False), "attestation", 51),
    ("a certificate of another model", certified(named=bytes(16)), "attestation", 51),
    ("a model that must be known", certified(critical=True), "attestation", 51),
    ("an algorithm not offered", {"cose": with_key(alg=-35)}, "public_key", 49),
    ("RSA-PSS", {"cose": rsa_cose(alg=-37)}, "public_key", 49),
    ("RSA with SHA-1", {"cose": rsa_cose(alg=-65535)}, "public_key", 49),
    ("no algorithm", {"cose": {1: 2}}, "public_key", 49),
    ("an algorithm that is a text", {"cose": with_key(alg="ES256")}, "public_key", 49),
    ("another curve", {"cose": with_key(crv=2)}, "public_key", 49),
    ("another kind of key", {"cose": with_key(kty=1)}, "public_key", 49),
    (
        "a point off the curve",
        {"cose": with_key(x=bytes(31) + b"\1", y=bytes(31) + b"\1")},
        "public_key",
        49,
    ),
    ("no point", {"cose": with_key(x=bytes(32), y=bytes(32))}, "public_key", 49),
    ("a short coordinate", {"cose": with_key(x=bytes(31))}, "public_key", 49),
    ("a coordinate that is a text", {"cose": with_key(x="a" * 32)}, "public_key", 49),
    ("a compressed point", {"cose": with_key(y=True)}, "public_key", 49),
    ("a parameter too many", {"cose": with_key() | {2: b"kid"}}, "public_key", 49),
    ("a parameter with a text for a name", {"cose": with_key() | {"a": 1}}, "public_key", 49),
    ("a key twice in the key", {"cose": b"\xa3\x01\x02\x01\x02\x03\x26"}, "public_key", 49),
    ("a key that is a list", {"cose": b"\x80"}, "public_key", 49),
    ("a key of the older format", {"cose": b"\x04"}, "public_key", 49),
    ("a short modulus", {"cose": rsa_cose(1024)}, "public_key", 49),
    ("an even exponent", {"cose": rsa_cose(exponent=b"\x02")}, "public_key", 49),
    ("an exponent of one", {"cose": rsa_cose(exponent=b"\x01")}, "public_key", 49),
    ("a long exponent", {"cose": rsa_cose(exponent=b"\x01" * 8)}, "public_key", 49),
    (
        "a modulus that begins with nothing",
        {"cose": rsa_cose() | {-1: bytes(128) + rsa_cose(1024)[-1]}},
        "public_key",
        49,
    ),
    ("a number written long", {"cose": written_long()}, "attestation", 52),
    (
        "a chain with a short key",
        {"attestation": "packed", "statement": with_short},
        "attestation",
        51,
    ),
]


class TestRefused:
    @pytest.mark.one_database
    @pytest.mark.parametrize(
        ("falsified", "reason"),
        [pytest.param(f, r, id=f"{name} sec_{n:03}") for name, f, r, n in FALSIFIED],
    )
    async def test_what_is_falsified_is_refused_and_its_challenge_is_gone(
        self, services, ada, device, falsified, reason
    ):
        """SEC-044, SEC-045, SEC-046, SEC-047, SEC-049, SEC-051, SEC-052"""
        outcome = await registered(services, ada.id, device, **falsified)
        assert outcome == Refused(reason)
        assert await services.passkeys.list(ada.id) == []
        assert await challenges() == 0
        assert await events("passkey_registration_failed") == [{"reason": reason}]
        assert type(outcome.error) is PasskeyInvalid

    @pytest.mark.one_database
    async def test_a_user_must_be_verified_where_that_is_required_sec_047(
        self, services, ada, device
    ):
        assert isinstance(await registered(services, ada.id, device, flags=UP), Registered)
        strict = await reconfigured(services, passkey=Passkey(user_verification="required"))
        outcome = await registered(strict, ada.id, device, flags=UP)
        assert outcome == Refused("user_verification")
        assert isinstance(await registered(strict, ada.id, device), Registered)

    async def test_a_challenge_works_once_sec_044(self, services, ada, device):
        options = await begun(services, ada.id)
        finish = services.ceremonies.finish_registration
        first = await finish(SYSTEM, ada.id, read_registration(device.create(options)))
        again = await finish(SYSTEM, ada.id, read_registration(device.create(options)))
        assert isinstance(first, Registered)
        assert again == Refused("challenge")

    async def test_a_challenge_is_used_up_by_a_failure_sec_044(self, services, ada, device):
        options = await begun(services, ada.id)
        finish = services.ceremonies.finish_registration
        wrong = read_registration(device.create(options, origin="https://evil.example"))
        assert await finish(SYSTEM, ada.id, wrong) == Refused("origin")
        right = read_registration(device.create(options))
        assert await finish(SYSTEM, ada.id, right) == Refused("challenge")

    async def test_a_challenge_of_ones_own_making_is_none_sec_044(self, services, ada, device):
        options = await begun(services, ada.id)
        options["challenge"] = b64(bytes(32))
        response = read_registration(device.create(options))
        outcome = await services.ceremonies.finish_registration(SYSTEM, ada.id, response)
        assert outcome == Refused("challenge")
        assert await challenges() == 1

    async def test_a_challenge_expires_sec_044(self, services, clock, ada, device):
        options = await begun(services, ada.id)
        clock.advance(milliseconds=600_000)
        response = read_registration(device.create(options))
        outcome = await services.ceremonies.finish_registration(SYSTEM, ada.id, response)
        assert outcome == Refused("expired")

    async def test_an_expired_challenge_is_swept_by_the_next_sec_126(self, services, clock, ada):
        await begun(services, ada.id)
        clock.advance(minutes=11)
        await begun(services, ada.id)
        assert await challenges() == 1

    async def test_a_challenge_is_for_its_user_sec_044(self, services, ada, device):
        bob = await make_user(services)
        options = await begun(services, ada.id)
        response = read_registration(device.create(options))
        outcome = await services.ceremonies.finish_registration(SYSTEM, bob.id, response)
        assert outcome == Refused("user")
        assert await services.passkeys.list(bob.id) == []

    async def test_a_challenge_is_for_its_flow_sec_044(self, services, ada, device):
        flow, finish = new_id(), services.ceremonies.finish_registration
        for bound_to in (None, new_id()):
            options = await services.ceremonies.begin_registration(person_of(ada.id), bound_to=flow)
            response = read_registration(device.create(options))
            outcome = await finish(SYSTEM, ada.id, response, bound_to=bound_to)
            assert outcome == Refused("challenge")
        options = await services.ceremonies.begin_registration(person_of(ada.id), bound_to=flow)
        response = read_registration(device.create(options))
        assert isinstance(await finish(SYSTEM, ada.id, response, bound_to=flow), Registered)

    async def test_a_challenge_of_a_login_makes_nothing_sec_044(self, services, ada, device):
        options = await begun(services, ada.id)
        login = await services.ceremonies.begin_login()
        options["challenge"] = login["challenge"]
        response = read_registration(device.create(options))
        outcome = await services.ceremonies.finish_registration(SYSTEM, ada.id, response)
        assert outcome == Refused("challenge")

    async def test_an_id_that_somebody_has_is_refused_sec_045(self, services, ada, device):
        bob = await make_user(services)
        taken = await passkey_of(services, bob.id, device, credential_id=b"x" * 1023)
        for user in (ada, bob):
            outcome = await registered(services, user.id, device, credential_id=b"x" * 1023)
            assert outcome == Refused("taken")
            assert type(outcome.error) is PasskeyInvalid
        assert await services.passkeys.list(ada.id) == []
        assert await services.passkeys.list(bob.id) == [taken]

    async def test_each_kind_has_its_limit(self, services, ada, device):
        few = await reconfigured(
            services, passkey=Passkey(limit=2), mfa=Mfa(security_keys=SecurityKeys(limit=1))
        )
        early = [await begun(few, ada.id) for _ in range(3)]
        for options in early[:2]:
            response = read_registration(device.create(options))
            outcome = await few.ceremonies.finish_registration(SYSTEM, ada.id, response)
            assert isinstance(outcome, Registered)
        late = read_registration(device.create(early[2]))
        outcome = await few.ceremonies.finish_registration(SYSTEM, ada.id, late)
        assert outcome == Refused("limit")
        assert type(outcome.error) is PasskeyLimitReached
        with pytest.raises(PasskeyLimitReached):
            await begun(few, ada.id)
        await passkey_of(few, ada.id, device, "security_key")
        with pytest.raises(PasskeyLimitReached):
            await begun(few, ada.id, "security_key")

    @pytest.mark.one_database
    async def test_an_id_that_is_not_the_raw_id_changes_nothing_sec_045(
        self, services, ada, device
    ):
        told = device.create(await begun(services, ada.id))
        told["rawId"] = b64(b"other")
        with pytest.raises(WebAuthnResponseInvalid):
            read_registration(told)
        assert await challenges() == 1


class TestRaces:
    @pytest.mark.parametrize("n", range(ROUNDS))
    async def test_of_many_that_bring_one_challenge_one_gets_it_sec_137(
        self, services, ada, device, n
    ):
        options = await begun(services, ada.id)
        responses = [read_registration(device.create(options)) for _ in range(10)]
        finish = services.ceremonies.finish_registration
        outcomes = await asyncio.gather(*(finish(SYSTEM, ada.id, one) for one in responses))
        assert sum(isinstance(one, Registered) for one in outcomes) == 1
        assert outcomes.count(Refused("challenge")) == 9
        assert len(await services.passkeys.list(ada.id)) == 1

    @pytest.mark.parametrize("n", range(ROUNDS))
    async def test_of_many_with_one_id_one_is_kept_sec_137(self, services, n):
        users = [await make_user(services) for _ in range(6)]
        outcomes = await asyncio.gather(
            *(registered(services, u.id, Authenticator(), credential_id=b"same") for u in users)
        )
        assert sum(isinstance(one, Registered) for one in outcomes) == 1
        assert outcomes.count(Refused("taken")) == 5

    async def test_the_limit_holds_when_all_come_at_once(self, services, ada, device):
        few = await reconfigured(services, passkey=Passkey(limit=2))
        options = [await begun(few, ada.id) for _ in range(8)]
        responses = [read_registration(device.create(one)) for one in options]
        finish = few.ceremonies.finish_registration
        outcomes = await asyncio.gather(*(finish(SYSTEM, ada.id, one) for one in responses))
        assert sum(isinstance(one, Registered) for one in outcomes) == 2
        assert outcomes.count(Refused("limit")) == 6
