"""Authenticator apps: enrolled in two steps, each time step good for one sign-in."""

import asyncio
import base64
import struct
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import pytest
from factories import make_user
from hypothesis import given
from hypothesis import strategies as st

from app import strictjson
from app.access import SYSTEM
from app.credentials import totp_codes
from app.credentials.errors import TotpExists, TotpNotFound
from app.credentials.guessing import Paused
from app.credentials.totp import Accepted, Malformed, Offer, Reused, Wrong
from app.credentials.totp_codes import code_at, step_at
from app.errors import NotFound
from app.keys import KeysUnreadable, Sealer
from app.persistence import fetch

RFC = base64.b32encode(b"12345678901234567890").decode()
ROUNDS = 50


async def enrol(services, user) -> str:
    """Give a user an app, and its secret."""
    secret = services.totp.offer("alice").secret
    step = step_at(services.clock())
    proof = services.totp.prove(secret, code_at(secret, step - 1))
    await services.totp.store(SYSTEM, user.id, secret, proof)
    return secret


def code_of(secret, services, distance=0) -> str:
    return code_at(secret, step_at(services.clock()) + distance)


def wrong_code(secret, services) -> str:
    right = {code_of(secret, services, distance) for distance in (-1, 0, 1)}
    return next(c for c in ("000000", "111111", "222222", "333333") if c not in right)


class TestCodes:
    @pytest.mark.parametrize(
        ("seconds", "code"),
        [
            (59, "287082"),
            (1111111109, "081804"),
            (1111111111, "050471"),
            (1234567890, "005924"),
            (2000000000, "279037"),
            (20000000000, "353130"),
        ],
    )
    def test_the_codes_are_those_of_rfc_6238(self, seconds, code):
        now = datetime.fromtimestamp(seconds, UTC)
        assert code_at(RFC, step_at(now)) == code
        assert totp_codes.matching_step(RFC, code, now) == seconds // 30

    @given(st.integers(0, 2**34), st.integers(-40, 40))
    def test_a_code_is_good_within_one_step_of_now_sec_056(self, seconds, distance):
        now = datetime.fromtimestamp(max(seconds, 30), UTC)
        step = step_at(now) + distance
        code = code_at(RFC, max(step, 0))
        near = {code_at(RFC, step_at(now) + d): step_at(now) + d for d in (1, -1, 0)}
        assert totp_codes.matching_step(RFC, code, now) == near.get(code)
        if abs(distance) <= 1:
            assert code in near

    def test_a_secret_has_160_random_bits_sec_055(self):
        secrets = {totp_codes.new_secret() for _ in range(100)}
        assert len(secrets) == 100
        assert {len(base64.b32decode(secret)) for secret in secrets} == {20}
        assert not any("=" in secret for secret in secrets)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "12345",
            "1234567",
            "12345a",
            " 123456",
            "123456\n",
            "١٢٣٤٥٦",
            "-12345",
            "\uff1123456",
        ],
    )
    def test_six_digits_and_nothing_else_are_a_code(self, text):
        assert not totp_codes.is_code(text)


class TestOffer:
    def test_the_uri_is_what_apps_read(self):
        uri = totp_codes.uri(RFC, "My Shop", "alice+1@example.com")
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
        assert unquote(parts.path) == "/My Shop:alice+1@example.com"
        assert parse_qs(parts.query) == {
            "secret": [RFC],
            "issuer": ["My Shop"],
            "algorithm": ["SHA1"],
            "digits": ["6"],
            "period": ["30"],
        }

    @given(st.text(st.characters(exclude_categories=())), st.text(st.characters()))
    def test_any_names_make_a_uri_that_a_qr_code_holds(self, issuer, account):
        uri = totp_codes.uri(RFC, issuer * 50, account * 50)
        assert uri.isascii()
        assert len(uri) < 1300
        assert unquote(urlsplit(uri).path).count(":") == 1
        assert parse_qs(urlsplit(uri).query)["secret"] == [RFC]

    def test_the_image_is_a_png(self):
        offer = Offer(RFC, totp_codes.uri(RFC, "Sekisho", "alice@example.com"))
        kind, _, data = offer.png.partition(",")
        assert kind == "data:image/png;base64"
        raw = base64.b64decode(data, validate=True)
        assert raw.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", raw[16:24])
        assert width == height >= 180

    def test_an_offer_stays_the_same_while_it_stands(self, services):
        first = services.totp.offer("alice")
        again = services.totp.offer("alice", first.secret)
        assert first == again
        assert services.totp.offer("alice").secret != first.secret

    def test_an_offer_does_not_show_itself_in_logs_sec_116(self, services):
        offer = services.totp.offer("alice")
        assert offer.secret not in repr(offer)


class TestEnrolment:
    async def test_only_a_secret_whose_code_was_shown_can_be_stored_sec_055(self, services):
        secret = services.totp.offer("alice").secret
        assert services.totp.prove(secret, wrong_code(secret, services)) == Wrong()
        assert services.totp.prove(secret, "") == Malformed()
        step = step_at(services.clock())
        assert services.totp.prove(secret, code_at(secret, step)) == Accepted(step)

    async def test_a_pending_secret_neither_signs_in_nor_replaces_sec_055(self, services):
        user = await make_user(services)
        pending = services.totp.offer("alice").secret
        assert await services.totp.of(user.id) is None
        assert await services.totp.verify(user.id, code_of(pending, services)) == Wrong()
        secret = await enrol(services, user)
        with pytest.raises(TotpExists):
            await services.totp.store(SYSTEM, user.id, pending, Accepted(1))
        assert await services.totp.verify(user.id, code_of(pending, services)) == Wrong()
        assert isinstance(await services.totp.verify(user.id, code_of(secret, services)), Accepted)

    async def test_the_code_of_the_enrolment_is_used_up_sec_056(self, services):
        user = await make_user(services)
        secret = services.totp.offer("alice").secret
        code = code_of(secret, services)
        proof = services.totp.prove(secret, code)
        await services.totp.store(SYSTEM, user.id, secret, proof)
        assert await services.totp.verify(user.id, code) == Reused()

    async def test_parallel_enrolments_make_one_app(self, services):
        user = await make_user(services)
        made = await asyncio.gather(
            *(
                services.totp.store(SYSTEM, user.id, totp_codes.new_secret(), Accepted(1))
                for _ in range(20)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(one, TotpExists) for one in made) == 19

    async def test_nobody_has_no_app(self, services):
        with pytest.raises(NotFound):
            await services.totp.store(SYSTEM, uuid4(), RFC, Accepted(1))

    async def test_the_secret_is_sealed_in_its_row_sec_119(self, services):
        alice, bob = await make_user(services), await make_user(services)
        secret = await enrol(services, alice)
        await enrol(services, bob)
        (row,) = await fetch("SELECT * FROM user_totp WHERE user_id = $1", alice.id)
        assert secret not in str(dict(row))
        assert row["sealed_secret"].startswith("v1.")
        moved = "UPDATE user_totp SET sealed_secret = $2 WHERE user_id = $1"
        await fetch(moved, bob.id, row["sealed_secret"])
        with pytest.raises(KeysUnreadable):
            await services.totp.verify(bob.id, code_of(secret, services))

    async def test_an_app_is_deleted_once(self, services):
        user = await make_user(services)
        secret = await enrol(services, user)
        await services.totp.delete(SYSTEM, user.id)
        assert await services.totp.verify(user.id, code_of(secret, services)) == Wrong()
        with pytest.raises(TotpNotFound):
            await services.totp.delete(SYSTEM, user.id)
        await enrol(services, user)

    async def test_trusted_devices_end_with_any_change_of_the_app_sec_027_059(self, services):
        user = await make_user(services)
        cookie = await services.trusted_devices.issue(SYSTEM, user.id)
        await enrol(services, user)
        assert not await services.trusted_devices.is_trusted(user.id, cookie)
        cookie = await services.trusted_devices.issue(SYSTEM, user.id)
        assert await services.trusted_devices.is_trusted(user.id, cookie)
        await services.totp.delete(SYSTEM, user.id)
        assert not await services.trusted_devices.is_trusted(user.id, cookie)

    async def test_a_deleted_user_leaves_no_secret_sec_122(self, services):
        user = await make_user(services)
        await enrol(services, user)
        await services.users.delete(SYSTEM, user.id)
        assert await fetch("SELECT 1 AS one FROM user_totp") == []

    async def test_records_name_the_app_and_never_its_secret_sec_116_118(self, services):
        user = await make_user(services)
        secret = await enrol(services, user)
        found = await services.totp.of(user.id)
        await services.totp.delete(SYSTEM, user.id)
        rows = await fetch(
            "SELECT type, subject_id, details FROM audit_event WHERE type LIKE 'otp%' ORDER BY type"
        )
        assert [row["type"] for row in rows] == ["otp_created", "otp_deleted"]
        assert {row["subject_id"] for row in rows} == {user.id}
        assert {strictjson.parse(row["details"].encode())["otp_secret"] for row in rows} == {
            str(found.id)
        }
        assert secret not in str([dict(row) for row in rows])


class TestVerifying:
    async def test_a_step_is_accepted_once_sec_056(self, services, clock):
        user = await make_user(services)
        secret = await enrol(services, user)
        code, step = code_of(secret, services), step_at(clock.now)
        assert await services.totp.verify(user.id, code) == Accepted(step)
        assert await services.totp.verify(user.id, code) == Reused()
        clock.advance(seconds=30)
        assert await services.totp.verify(user.id, code) == Reused()
        assert await services.totp.verify(user.id, code_of(secret, services)) == Accepted(step + 1)

    async def test_an_older_step_than_the_newest_used_is_refused_sec_056(self, services):
        user = await make_user(services)
        secret = await enrol(services, user)
        newest = code_of(secret, services, 1)
        assert isinstance(await services.totp.verify(user.id, newest), Accepted)
        assert await services.totp.verify(user.id, code_of(secret, services)) == Reused()

    async def test_a_clock_that_is_off_by_more_than_a_step_is_wrong_sec_056(self, services):
        user = await make_user(services)
        secret = await enrol(services, user)
        for distance in (-2, 2):
            code = code_of(secret, services, distance)
            assert await services.totp.verify(user.id, code) == Wrong()

    async def test_of_100_parallel_uses_of_a_step_one_succeeds_sec_056_137(self, services):
        user = await make_user(services)
        secret = await enrol(services, user)
        code = code_of(secret, services)
        outcomes = await asyncio.gather(*(services.totp.verify(user.id, code) for _ in range(100)))
        assert Counter(type(one) for one in outcomes)[Accepted] == 1
        assert Counter(type(one) for one in outcomes)[Reused] == 99

    async def test_two_processes_accept_a_step_once_sec_056_137(self, services, replicas):
        for _ in range(ROUNDS):
            user = await make_user(services)
            secret = await enrol(services, user)
            code = code_of(secret, services)
            answers = await asyncio.gather(
                *(
                    replica.ask("try_totp", user=str(user.id), codes=[code] * 5)
                    for replica in replicas
                )
            )
            assert Counter(answers[0] + answers[1]) == {"Accepted": 1, "Reused": 9}

    @pytest.mark.parametrize("skew", [-60, -30, 30, 60])
    async def test_a_replica_whose_clock_differs_accepts_no_step_again_sec_134(
        self, services, clock, skew
    ):
        user = await make_user(services)
        secret = await enrol(services, user)
        there = replace(services.totp, clock=lambda: clock.now + timedelta(seconds=skew))
        used = []
        for distance in (-1, 0, 1, 0, -1):
            code = code_of(secret, services, distance)
            for totp in (services.totp, there, services.totp):
                found = await totp.verify(user.id, code)
                used += [found.step] if isinstance(found, Accepted) else []
        assert used == sorted(set(used))
        assert len(used) >= 2

    async def test_a_hundred_wrong_codes_in_succession_pause_for_a_day_sec_057(
        self, services, clock
    ):
        user = await make_user(services)
        secret = await enrol(services, user)
        for _ in range(100):
            assert await services.totp.verify(user.id, wrong_code(secret, services)) == Wrong()
        refused = await services.totp.verify(user.id, code_of(secret, services))
        assert refused == Paused(86_400)
        clock.advance(days=1)
        assert isinstance(await services.totp.verify(user.id, code_of(secret, services)), Accepted)

    async def test_a_right_code_begins_the_count_anew_sec_057(self, services, clock):
        user = await make_user(services)
        secret = await enrol(services, user)
        for _ in range(3):
            for _ in range(99):
                await services.totp.verify(user.id, wrong_code(secret, services))
            clock.advance(seconds=30)
            right = await services.totp.verify(user.id, code_of(secret, services))
            assert isinstance(right, Accepted)

    async def test_recovery_codes_share_the_count_sec_057(self, services):
        user = await make_user(services)
        secret = await enrol(services, user)
        for n in range(100):
            if n % 2:
                await services.totp.verify(user.id, wrong_code(secret, services))
            else:
                await services.recovery_codes.redeem(SYSTEM, user.id, "0" * 16)
        assert isinstance(await services.totp.verify(user.id, code_of(secret, services)), Paused)
        redeemed = await services.recovery_codes.redeem(SYSTEM, user.id, "0" * 16)
        assert isinstance(redeemed, Paused)

    async def test_what_is_no_code_is_no_guess(self, services):
        user = await make_user(services)
        await enrol(services, user)
        assert await services.totp.verify(user.id, "12345") == Malformed()
        assert await fetch("SELECT 1 AS one FROM guess_count") == []


class TestSecrets:
    """The encryption secret changes (SEC-119, SEC-120)."""

    async def test_secrets_are_sealed_anew_under_the_first_sec_120(self, services):
        users = [await make_user(services) for _ in range(3)]
        old, new = "an-older-secret-0000001", "a-newer-secret-00000002"
        before = replace(services, totp=replace(services.totp, sealer=Sealer([old])))
        both = replace(services, totp=replace(services.totp, sealer=Sealer([new, old])))
        after = replace(services, totp=replace(services.totp, sealer=Sealer([new])))
        secrets = [await enrol(before, user) for user in users]
        assert await before.totp.reseal() == 0
        assert await both.totp.reseal() == 3
        assert await both.totp.reseal() == 0
        for user, secret in zip(users, secrets, strict=True):
            assert isinstance(await after.totp.verify(user.id, code_of(secret, after)), Accepted)

    async def test_a_secret_that_nothing_opens_refuses_the_start_sec_120(self, services):
        await enrol(services, await make_user(services))
        stranger = replace(services.totp, sealer=Sealer(["another-secret-of-nobody"]))
        with pytest.raises(KeysUnreadable):
            await stranger.reseal()
