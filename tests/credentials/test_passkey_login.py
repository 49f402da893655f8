"""Using passkeys and security keys: the ceremony of WebAuthn Level 3 §7.2, and each refusal."""

import asyncio

import pytest
from credentials.authenticator import (
    BE,
    BS,
    UP,
    UV,
    Authenticator,
    Credential,
    b64,
    new_key,
    unb64,
)
from credentials.ceremonies import begun, challenges, events, logged_in, passkey_of
from factories import make_user, reconfigured

from app.access import SYSTEM, Actor, Origin
from app.config.sections import Mfa, Passkey, SecurityKeys
from app.credentials.errors import (
    MfaOnlyCredential,
    PasskeyInvalid,
    PasskeyNotFound,
    PasskeysDisabled,
    WebAuthnResponseInvalid,
)
from app.credentials.passkey_values import Accepted, Refused
from app.credentials.webauthn_json import read_assertion
from app.credentials.webauthn_keys import ALGORITHMS
from app.ids import new_id
from app.persistence import fetch, transaction

ROUNDS = 5


@pytest.fixture
async def ada(services):
    return await make_user(services, email="ada@example.com")


@pytest.fixture
async def bob(services):
    return await make_user(services, email="bob@example.com")


@pytest.fixture
def device():
    return Authenticator()


def flipped(value: bytes, place: int = -1) -> bytes:
    changed = bytearray(value)
    changed[place] ^= 1
    return bytes(changed)


async def counted(services, user) -> int:
    return (await services.passkeys.list(user.id))[0].sign_count


class TestOptions:
    async def test_nobody_is_named_before_anybody_is_identified_sec_054(
        self, services, ada, device
    ):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        assert len(unb64(options.pop("challenge"))) == 32
        assert options == {
            "timeout": 600_000,
            "rpId": "localhost",
            "userVerification": "preferred",
        }

    async def test_for_a_known_user_their_passkeys_are_named(self, services, ada, bob, device):
        mine = await passkey_of(services, ada.id, device)
        await passkey_of(services, ada.id, device, "security_key")
        await passkey_of(services, bob.id, device)
        options = await services.ceremonies.begin_login(ada.id)
        assert options["allowCredentials"] == [
            {"type": "public-key", "id": mine.credential_id, "transports": ["hybrid", "internal"]}
        ]

    async def test_where_no_second_factor_can_follow_the_user_must_be_verified_sec_032(
        self, services
    ):
        options = await services.ceremonies.begin_login(both_factors=True)
        assert options["userVerification"] == "required"

    async def test_what_is_switched_off_neither_begins_nor_ends(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        response = read_assertion(device.get(options))
        other = await reconfigured(services, passkey=Passkey(enabled=False))
        with pytest.raises(PasskeysDisabled):
            await other.ceremonies.begin_login()
        with pytest.raises(PasskeysDisabled):
            await other.ceremonies.finish_login(SYSTEM, response)


class TestAccepted:
    async def test_a_passkey_says_who_signs_in(self, services, clock, ada, device):
        passkey = await passkey_of(services, ada.id, device, flags=UP | UV | BE)
        clock.advance(hours=1)
        origin = Origin(request_id="r", address="192.0.2.1")
        options = await services.ceremonies.begin_login()
        response = read_assertion(device.get(options, flags=UP | UV | BE | BS))
        outcome = await services.ceremonies.finish_login(Actor(origin=origin), response)
        assert isinstance(outcome, Accepted)
        assert (outcome.user_id, outcome.is_user_verified) == (ada.id, True)
        used = outcome.passkey
        assert (used.id, used.sign_count, used.last_used_at) == (passkey.id, 1, clock())
        assert (used.is_backed_up, passkey.is_backed_up) == (True, False)
        assert await services.passkeys.list(ada.id) == [used]
        assert await events("passkey_verified") == [
            {"credential_id": passkey.credential_id, "step": "login"}
        ]
        rows = await fetch(
            "SELECT subject_id, address FROM audit_event WHERE type = $1", "passkey_verified"
        )
        assert dict(rows[0]) == {"subject_id": ada.id, "address": "192.0.2.1"}

    async def test_a_user_who_has_said_who_they_are_need_not_be_told_of(
        self, services, ada, device
    ):
        await passkey_of(services, ada.id, device)
        for handle in (None, ada.id.bytes):
            outcome = await logged_in(services, device, ada.id, user_handle=handle)
            assert outcome.user_id == ada.id

    async def test_without_verification_it_says_so_sec_047(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        outcome = await logged_in(services, device, flags=UP)
        assert (type(outcome), outcome.is_user_verified) == (Accepted, False)

    async def test_a_counter_that_stands_at_nothing_counts_nothing_sec_050(
        self, services, ada, device
    ):
        await passkey_of(services, ada.id, device, count=0)
        for _ in range(3):
            assert isinstance(await logged_in(services, device, count=0), Accepted)

    @pytest.mark.one_database
    async def test_what_was_backed_up_may_be_so_no_longer(self, services, ada, device):
        await passkey_of(services, ada.id, device, flags=UP | UV | BE | BS)
        outcome = await logged_in(services, device, flags=UP | UV | BE)
        assert outcome.passkey.is_backed_up is False


FALSIFIED = [
    ("another ceremony", {"client": {"type": "webauthn.create"}}, "type", 46),
    ("no ceremony", {"client": {"type": ...}}, "type", 45),
    ("another origin", {"origin": "https://evil.example"}, "origin", 46),
    ("our origin as a prefix", {"origin": "http://localhost:8888.evil.example"}, "origin", 46),
    (
        "our origin as a suffix",
        {"origin": "http://evil.example/http://localhost:8888"},
        "origin",
        46,
    ),
    ("a page under ours", {"origin": "http://sub.localhost:8888"}, "origin", 46),
    ("an application nobody knows", {"origin": "android:apk-key-hash:" + "A" * 43}, "origin", 46),
    ("an embedded page", {"client": {"crossOrigin": True}}, "embedded", 46),
    ("a page around it", {"client": {"topOrigin": "http://localhost:8888"}}, "embedded", 46),
    ("another relying party", {"rp_id": "evil.example"}, "rp_id", 46),
    ("nobody present", {"flags": UV}, "user_presence", 47),
    ("backed up and not eligible", {"flags": UP | UV | BS}, "backup", 49),
    ("eligible all at once", {"flags": UP | UV | BE}, "backup", 49),
    ("a wrong signature", {"signature": flipped}, "signature", 45),
    ("no signature", {"signature": lambda _: b""}, "signature", 45),
    (
        "a signature of nothing",
        {"signature": lambda _: b"\x30\x06\x02\x01\x00\x02\x01\x00"},
        "signature",
        45,
    ),
    ("data cut short", {"data": lambda d: d[:-1]}, "authenticator_data", 52),
    ("no data", {"data": lambda _: b""}, "authenticator_data", 52),
    ("something behind the data", {"data": lambda d: d + b"\0"}, "authenticator_data", 52),
    ("extensions announced", {"flags": UP | UV | 128}, "authenticator_data", 52),
    ("a credential announced", {"flags": UP | UV | 64}, "authenticator_data", 52),
    ("no user handle", {"user_handle": None}, "user_handle", 48),
    ("an empty user handle", {"user_handle": b""}, "user_handle", 48),
    ("another user handle", {"user_handle": bytes(16)}, "user_handle", 48),
    ("a longer user handle", {"user_handle": bytes(64)}, "user_handle", 48),
    ("an unknown credential", {"named": b"unknown"}, "unknown", 48),
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
        """SEC-044, SEC-045, SEC-046, SEC-047, SEC-048, SEC-049, SEC-052"""
        await passkey_of(services, ada.id, device)
        before = await services.passkeys.list(ada.id)
        outcome = await logged_in(services, device, **falsified)
        assert outcome == Refused(reason)
        assert type(outcome.error) is PasskeyInvalid
        assert await services.passkeys.list(ada.id) == before
        assert await challenges() == 0
        assert await events("login_failure") == [
            {"login_method": "passkey", "step": "login", "reason": reason}
        ]
        assert isinstance(await logged_in(services, device), Accepted)

    @pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    @pytest.mark.one_database
    async def test_each_signed_part_with_one_bit_changed_is_refused_sec_053(
        self, services, ada, part, algorithm
    ):
        """An ECDSA signature is now longer, now shorter, so places count in its own length."""
        device = Authenticator(int(algorithm))
        await passkey_of(services, ada.id, device)
        for ninth in range(10):
            told = device.get(await services.ceremonies.begin_login())
            value = unb64(told["response"][part])
            told["response"][part] = b64(flipped(value, (len(value) - 1) * ninth // 9))
            outcome = await services.ceremonies.finish_login(SYSTEM, read_assertion(told))
            assert isinstance(outcome, Refused)
        assert await counted(services, ada) == 0

    async def test_a_challenge_works_once_sec_044(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        finish = services.ceremonies.finish_login
        response = read_assertion(device.get(options))
        assert isinstance(await finish(SYSTEM, response), Accepted)
        assert await finish(SYSTEM, response) == Refused("challenge")
        assert await finish(SYSTEM, read_assertion(device.get(options))) == Refused("challenge")

    async def test_a_challenge_is_used_up_by_a_failure_sec_044(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        finish = services.ceremonies.finish_login
        wrong = read_assertion(device.get(options, signature=flipped))
        assert await finish(SYSTEM, wrong) == Refused("signature")
        assert await finish(SYSTEM, read_assertion(device.get(options))) == Refused("challenge")

    async def test_a_challenge_of_ones_own_making_is_none_sec_044(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login() | {"challenge": b64(bytes(32))}
        response = read_assertion(device.get(options))
        assert await services.ceremonies.finish_login(SYSTEM, response) == Refused("challenge")

    async def test_a_challenge_expires_without_a_user_too_sec_044(
        self, services, clock, ada, device
    ):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        clock.advance(milliseconds=600_000)
        response = read_assertion(device.get(options))
        assert await services.ceremonies.finish_login(SYSTEM, response) == Refused("expired")

    async def test_a_challenge_is_for_its_flow_and_purpose_sec_044(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        flow, finish = new_id(), services.ceremonies.finish_login
        for bound_to in (None, new_id()):
            options = await services.ceremonies.begin_login(bound_to=flow)
            response = read_assertion(device.get(options))
            assert await finish(SYSTEM, response, bound_to=bound_to) == Refused("challenge")
        second = await services.ceremonies.begin_second_factor(ada.id)
        assert await finish(SYSTEM, read_assertion(device.get(second))) == Refused("challenge")
        creation = await begun(services, ada.id)
        borrowed = {"challenge": creation["challenge"], "rpId": "localhost"}
        assert await finish(SYSTEM, read_assertion(device.get(borrowed))) == Refused("challenge")
        options = await services.ceremonies.begin_login(bound_to=flow)
        response = read_assertion(device.get(options))
        assert isinstance(await finish(SYSTEM, response, bound_to=flow), Accepted)

    async def test_somebody_elses_credential_is_refused_sec_048(self, services, ada, bob, device):
        await passkey_of(services, ada.id, device)
        theirs = Authenticator()
        await passkey_of(services, bob.id, theirs)
        assert await logged_in(services, theirs, ada.id) == Refused("user")
        assert await logged_in(services, theirs, ada.id, user_handle=None) == Refused("user")
        handle = ada.id.bytes
        assert await logged_in(services, theirs, user_handle=handle) == Refused("user_handle")
        named = device.credentials[0].id
        assert await logged_in(services, theirs, named=named) == Refused("signature")

    async def test_a_credential_made_after_the_options_was_not_offered_sec_048(
        self, services, ada, device
    ):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login(ada.id)
        await passkey_of(services, ada.id, device)
        response = read_assertion(device.get(options))
        outcome = await services.ceremonies.finish_login(SYSTEM, response)
        assert outcome == Refused("not_offered")

    async def test_a_security_key_is_no_first_factor_sec_048(self, services, ada, device):
        await passkey_of(services, ada.id, device, "security_key")
        for user_id in (None, ada.id):
            outcome = await logged_in(services, device, user_id)
            assert outcome == Refused("mfa_only")
            assert type(outcome.error) is MfaOnlyCredential
        wrong = await logged_in(services, device, signature=flipped)
        assert type(wrong.error) is PasskeyInvalid

    async def test_a_user_must_be_verified_where_that_is_required_sec_047(
        self, services, ada, device
    ):
        await passkey_of(services, ada.id, device)
        strict = await reconfigured(services, passkey=Passkey(user_verification="required"))
        assert await logged_in(strict, device, flags=UP) == Refused("user_verification")
        options = await services.ceremonies.begin_login(both_factors=True)
        response = read_assertion(device.get(options, flags=UP))
        outcome = await services.ceremonies.finish_login(SYSTEM, response)
        assert outcome == Refused("user_verification")

    @pytest.mark.parametrize(("stored", "told"), [(5, 5), (5, 4), (5, 0), (2**32 - 1, 1)])
    async def test_a_counter_that_does_not_rise_is_refused_and_recorded_sec_050(
        self, services, ada, device, stored, told
    ):
        await passkey_of(services, ada.id, device, count=stored)
        assert await logged_in(services, device, count=told) == Refused("counter")
        assert await counted(services, ada) == stored
        assert [one["reason"] for one in await events("login_failure")] == ["counter"]

    @pytest.mark.one_database
    async def test_a_counter_is_worth_nothing_without_a_signature_sec_050(
        self, services, ada, device
    ):
        await passkey_of(services, ada.id, device, count=5)
        wrong = await logged_in(services, device, count=1, signature=flipped)
        assert wrong == Refused("signature")

    @pytest.mark.one_database
    async def test_eligibility_for_backup_cannot_be_lost_sec_049(self, services, ada, device):
        await passkey_of(services, ada.id, device, flags=UP | UV | BE)
        assert await logged_in(services, device) == Refused("backup")

    @pytest.mark.one_database
    async def test_records_hold_nothing_that_signs_in_sec_116(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        told = device.get(options)
        await services.ceremonies.finish_login(SYSTEM, read_assertion(told))
        rows = await fetch("SELECT details FROM audit_event")
        text = " ".join(row["details"] for row in rows)
        assert options["challenge"] not in text
        assert told["response"]["signature"] not in text


class TestUnknown:
    async def test_an_unknown_credential_takes_as_many_statements_as_a_known_one_sec_067(
        self, services, ada, device, statements
    ):
        await passkey_of(services, ada.id, device)
        stranger = Credential(b"s" * 32, "localhost", ada.id.bytes, -7, new_key(-7))
        asked = []
        for credential in (device.credentials[0], stranger):
            options = await services.ceremonies.begin_login()
            told = device.get(options, credential=credential, signature=flipped)
            statements.clear()
            found = await services.ceremonies.finish_login(SYSTEM, read_assertion(told))
            assert isinstance(found, Refused)
            asked.append(list(statements))
        assert asked[0] == asked[1]
        assert len(asked[0]) > 1


class TestSecondFactor:
    async def test_all_that_the_user_has_is_offered(self, services, ada, device):
        passkey = await passkey_of(services, ada.id, device)
        key = await passkey_of(services, ada.id, device, "security_key")
        options = await services.ceremonies.begin_second_factor(ada.id)
        assert [one["id"] for one in options["allowCredentials"]] == [
            passkey.credential_id,
            key.credential_id,
        ]
        assert (options["userVerification"], options["timeout"]) == ("discouraged", 120_000)

    @pytest.mark.parametrize("kind", ["passkey", "security_key"])
    async def test_either_kind_is_accepted_from_its_user(self, services, ada, device, kind):
        kept = await passkey_of(services, ada.id, device, kind)
        options = await services.ceremonies.begin_second_factor(ada.id)
        response = read_assertion(device.get(options, flags=UP, user_handle=None))
        outcome = await services.ceremonies.finish_second_factor(SYSTEM, ada.id, response)
        assert (outcome.user_id, outcome.passkey.id) == (ada.id, kept.id)
        assert await events("passkey_verified") == [
            {"credential_id": kept.credential_id, "step": "second_factor"}
        ]

    async def test_what_was_the_first_factor_is_not_the_second_sec_047(self, services, ada, device):
        first = await passkey_of(services, ada.id, device)
        with pytest.raises(PasskeyNotFound):
            await services.ceremonies.begin_second_factor(ada.id, used=first.id)
        key = Authenticator()
        await passkey_of(services, ada.id, key, "security_key")
        options = await services.ceremonies.begin_second_factor(ada.id, used=first.id)
        response = read_assertion(device.get(options))
        outcome = await services.ceremonies.finish_second_factor(SYSTEM, ada.id, response)
        assert outcome == Refused("not_offered")

    async def test_it_is_for_its_user_sec_048(self, services, ada, bob, device):
        theirs = Authenticator()
        await passkey_of(services, ada.id, device, "security_key")
        await passkey_of(services, bob.id, theirs, "security_key")
        finish = services.ceremonies.finish_second_factor
        options = await services.ceremonies.begin_second_factor(ada.id)
        response = read_assertion(theirs.get(options, user_handle=None))
        assert await finish(SYSTEM, ada.id, response) == Refused("user")
        options = await services.ceremonies.begin_second_factor(bob.id)
        response = read_assertion(theirs.get(options))
        assert await finish(SYSTEM, ada.id, response) == Refused("user")
        assert [one["step"] for one in await events("login_failure")] == ["second_factor"] * 2

    async def test_it_is_for_its_flow_sec_044(self, services, ada, device):
        await passkey_of(services, ada.id, device, "security_key")
        flow = new_id()
        options = await services.ceremonies.begin_second_factor(ada.id, bound_to=flow)
        response = read_assertion(device.get(options))
        outcome = await services.ceremonies.finish_second_factor(SYSTEM, ada.id, response)
        assert outcome == Refused("challenge")

    async def test_the_configuration_is_heard(self, services, ada, device):
        passkey = await passkey_of(services, ada.id, device)
        key = await passkey_of(services, ada.id, device, "security_key")
        strict = await reconfigured(
            services,
            passkey=Passkey(enabled=False),
            mfa=Mfa(security_keys=SecurityKeys(user_verification="required")),
        )
        options = await strict.ceremonies.begin_second_factor(ada.id)
        assert [one["id"] for one in options["allowCredentials"]] == [key.credential_id]
        response = read_assertion(device.get(options, flags=UP))
        outcome = await strict.ceremonies.finish_second_factor(SYSTEM, ada.id, response)
        assert outcome == Refused("user_verification")
        off = await reconfigured(services, mfa=Mfa(security_keys=SecurityKeys(enabled=False)))
        with pytest.raises(PasskeysDisabled):
            await off.ceremonies.begin_second_factor(ada.id)
        with pytest.raises(PasskeysDisabled):
            await off.ceremonies.finish_second_factor(SYSTEM, ada.id, response)
        assert passkey in await services.passkeys.list(ada.id)


class TestRaces:
    @pytest.mark.parametrize("n", range(ROUNDS))
    async def test_of_many_that_bring_one_challenge_one_gets_it_sec_137(
        self, services, ada, device, n
    ):
        await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        responses = [read_assertion(device.get(options)) for _ in range(10)]
        finish = services.ceremonies.finish_login
        outcomes = await asyncio.gather(*(finish(SYSTEM, one) for one in responses))
        assert sum(isinstance(one, Accepted) for one in outcomes) == 1
        assert outcomes.count(Refused("challenge")) == 9

    async def test_of_many_that_bring_one_count_one_gets_in_sec_050(self, services, ada, device):
        await passkey_of(services, ada.id, device)
        options = [await services.ceremonies.begin_login() for _ in range(6)]
        responses = [read_assertion(device.get(one, count=7)) for one in options]
        finish = services.ceremonies.finish_login
        outcomes = await asyncio.gather(*(finish(SYSTEM, one) for one in responses))
        assert sum(isinstance(one, Accepted) for one in outcomes) == 1
        assert outcomes.count(Refused("counter")) == 5


@pytest.mark.one_database
async def test_a_response_of_another_kind_is_none_sec_045(services, ada, device):
    with pytest.raises(WebAuthnResponseInvalid):
        read_assertion(device.create(await begun(services, ada.id)))


async def test_signing_in_while_the_passkey_is_deleted_ends_one_way_or_the_other(services):
    """SEC-137: neither waits for the other in turn; who comes second finds what the first left."""
    for _ in range(20):
        ada, device = await make_user(services), Authenticator()
        passkey = await passkey_of(services, ada.id, device)
        options = await services.ceremonies.begin_login()
        response = read_assertion(device.get(options))

        async def sign_in(response=response, ada=ada):
            async with transaction():  # as a flow does it
                outcome = await services.ceremonies.finish_login(SYSTEM, response)
                await services.users.stamp_of(ada.id)
                return outcome

        outcome, _ = await asyncio.gather(
            sign_in(), services.passkeys.delete(SYSTEM, ada.id, passkey.credential_id)
        )
        assert outcome == Refused("unknown") or isinstance(outcome, Accepted)
        assert await services.passkeys.list(ada.id) == []
