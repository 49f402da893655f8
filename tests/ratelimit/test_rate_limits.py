"""The limits as their users meet them: in this process, and in Redis."""

import asyncio
import dataclasses
import functools
import json
import logging
import re
from contextlib import asynccontextmanager

import msgspec
import pytest
from databases import environment_of
from traces import Kept

from app import logs
from app.assembly import assemble
from app.audit import AuditLog
from app.clock import utc_now
from app.config.sections import (
    Audit,
    AuditStorage,
    NetworkLimits,
    PasswordLimits,
    RateLimiter,
    RedisConfig,
)
from app.config.values import Duration
from app.ratelimit import Limited, RateLimits
from app.ratelimit.shared import PATIENCE, RedisWindows, StoreAway
from app.ratelimit.windows import Slot
from app.telemetry import tracing, work

SECRETS = ["a-secret-of-the-tests-0001"]
UNKEPT = AuditLog(Audit(storage=AuditStorage(enabled=False)), utc_now)
"""An audit log that needs no database."""

NOBODY_LISTENS = RedisConfig(address="127.0.0.1:9")


@pytest.fixture
async def in_redis(clock):
    """Makes limits that count in Redis, by the tests' clock, as patient as a busy machine needs."""
    made: list[RateLimits] = []

    def build(config: RedisConfig, **given) -> RateLimits:
        limits = RateLimits.of(
            RateLimiter(store="redis", redis_config=config, **given), SECRETS, clock, UNKEPT
        )
        patient = RedisWindows(config, clock, patience=30, pause=0)
        made.append(dataclasses.replace(limits, shared=patient))
        return made[-1]

    yield build
    for one in made:
        await one.close()


@pytest.fixture(params=["in_memory", "redis"])
def make(request, clock, redis, redis_address, in_redis):
    """Makes limits that count here, or there."""
    if request.param == "redis":
        return functools.partial(in_redis, RedisConfig(address=redis_address))
    return lambda **given: RateLimits.of(RateLimiter(**given), SECRETS, clock, UNKEPT)


@asynccontextmanager
async def listening(answer):
    """A server that is no Redis; gives its address."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


def addresses():
    return (f"198.51.100.{n}" for n in range(1, 255))


class TestBudgets:
    async def test_many_networks_against_one_account_do_not_pass_sec_069(self, make):
        passwords = make()
        tried = [
            await passwords.take("password", account="alice", address=address)
            for address in addresses()
        ]
        assert tried.count(None) == 5
        assert all(isinstance(one, Limited) for one in tried[5:])

    async def test_one_network_against_many_accounts_does_not_pass_sec_069(self, make):
        passwords = make()
        tried = [
            await passwords.take("password", account=f"user{n}", address=f"2001:db8::{n:x}")
            for n in range(100)
        ]
        assert tried.count(None) == 30

    async def test_other_accounts_networks_and_operations_have_budgets_of_their_own(self, make):
        some = make()
        for _ in range(5):
            assert await some.take("password", account="alice", address="192.0.2.1") is None
        assert await some.take("password", account="alice", address="192.0.2.2")
        assert await some.take("password", account="bob", address="192.0.2.1") is None
        assert await some.take("otp", account="alice", address="192.0.2.1") is None
        assert await some.take("passcode_guess", account="alice", address="192.0.2.1") is None

    async def test_a_refused_attempt_costs_neither_budget(self, make):
        some = make()
        for _ in range(60):
            await some.take("password", account="alice", address="192.0.2.1")
        assert await some.take("password", account="bob", address="192.0.2.1") is None

    async def test_whoever_comes_back_after_retry_after_is_let_in_sec_072(self, make, clock):
        some = make(password_limits=PasswordLimits(tokens=2, interval=Duration(minutes=10)))
        await some.take("password", account="alice", address="192.0.2.1")
        clock.advance(seconds=200.5)
        await some.take("password", account="alice", address="192.0.2.1")
        clock.advance(seconds=100)
        refused = await some.take("password", account="alice", address="192.0.2.1")
        assert refused == Limited(300)
        clock.advance(seconds=refused.retry_after - 1)
        assert await some.take("password", account="alice", address="192.0.2.1") == Limited(1)
        clock.advance(seconds=1)
        assert await some.take("password", account="alice", address="192.0.2.1") is None
        assert isinstance(
            await some.take("password", account="alice", address="192.0.2.1"), Limited
        )

    async def test_three_codes_a_minute_and_ten_an_hour_are_mailed_sec_073(self, make, clock):
        some, sent = make(), []
        for minute in range(60):
            for n in range(5):
                address = f"2001:db8:{minute:x}:{n}::1"
                if await some.take("passcode", account="alice@x.org", address=address) is None:
                    sent.append(minute)
            clock.advance(seconds=60)
        assert sent == [0] * 3 + [1] * 3 + [2] * 3 + [3]

    async def test_one_network_has_only_so_many_codes_mailed_sec_073(self, make):
        some = make()
        tried = [
            await some.take("passcode", account=f"user{n}@x.org", address="192.0.2.1")
            for n in range(120)
        ]
        assert tried.count(None) == 100

    async def test_codes_are_guessed_thirty_times_an_hour_sec_042(self, make, clock):
        some, passed = make(), 0
        for n in range(100):
            tried = await some.take("passcode_guess", account="alice", address=f"10.0.0.{n}")
            passed += tried is None
            clock.advance(seconds=20)
        assert passed == 30

    async def test_strangers_do_not_use_up_the_budget_of_a_known_browser_sec_042(self, make):
        some = make()
        for n in range(40):
            await some.take("passcode_guess", account="alice", address=f"10.0.0.{n}")
        known = [
            await some.take(
                "passcode_guess", account="alice", address=f"10.0.1.{n}", known_browser=True
            )
            for n in range(40)
        ]
        assert known.count(None) == 30

    @pytest.mark.parametrize(("operation", "most"), [("passcode", 3), ("otp", 3)])
    async def test_mail_and_second_factors_have_one_budget_sec_057_073(self, make, operation, most):
        some = make()
        tried = [
            await some.take(operation, account="alice", address=f"10.0.0.{n}", known_browser=known)
            for n, known in enumerate((True, False) * 6)
        ]
        assert tried.count(None) == most

    async def test_second_factors_are_tried_five_times_a_minute_at_most_sec_057(self, make):
        generous = type(RateLimiter().otp_limits)(tokens=500)
        some = make(otp_limits=generous)
        tried = [await some.take("otp", account="alice", address=a) for a in addresses()]
        assert tried.count(None) == 5

    async def test_an_exchange_is_limited_by_the_network_alone(self, make):
        some = make()
        tried = [await some.take("token_exchange", address="192.0.2.1") for _ in range(5)]
        assert tried.count(None) == 3
        assert await some.take("token_exchange", address="192.0.2.2") is None

    async def test_of_200_parallel_attempts_exactly_as_many_as_allowed_pass_sec_071(self, make):
        some = make(network_limits=NetworkLimits(tokens=1000))
        for round_ in range(5):
            tried = await asyncio.gather(
                *(
                    some.take("password", account=f"alice{round_}", address="192.0.2.1")
                    for _ in range(200)
                )
            )
            assert tried.count(None) == 5

    async def test_switched_off_nothing_is_limited(self, make):
        some = make(enabled=False)
        tried = [await some.take("token_exchange", address="192.0.2.1") for _ in range(50)]
        assert tried.count(None) == 50


class TestRedis:
    @pytest.mark.usefixtures("redis")
    async def test_two_processes_share_one_budget_sec_071(
        self, processes, tmp_path, redis_address, empty
    ):
        variables = environment_of(empty) | {
            "RATE_LIMITER_STORE": "redis",
            "RATE_LIMITER_REDIS_ADDRESS": redis_address,
        }
        pair = processes[:2]
        for one in pair:
            await one.ask("begin", environment=variables)
        try:
            for n in range(3):
                passed = await asyncio.gather(
                    *(
                        one.ask("take", operation="password", account=f"user{n}", times=25)
                        for one in pair
                    )
                )
                assert sum(passed) == 5
        finally:
            for one in pair:
                await one.ask("finish")

    async def test_a_window_is_measured_by_the_clock_of_redis(self, redis, redis_address):
        """SEC-134: the replicas' clocks may differ, the counter's does not."""
        store = RedisWindows(RedisConfig(address=redis_address), patience=30)
        slot = Slot("0" * 64, 2, Duration(hours=1))
        assert [await store.take([slot]) for _ in range(2)] == [0, 0]
        assert 3590 < await store.take([slot]) <= 3600
        (key,) = await redis.keys()
        seconds, _ = await redis.time()
        assert abs(int(await redis.lindex(key, 0)) / 1000 - seconds) < 10
        await store.close()

    async def test_nothing_readable_is_kept_and_not_for_longer_than_it_counts(
        self, clock, redis, redis_address, in_redis
    ):
        """SEC-119: whoever reads Redis learns nobody's address."""
        some = in_redis(RedisConfig(address=redis_address))
        await some.take("passcode", account="alice@example.com", address="192.0.2.1")
        keys = await redis.keys()
        assert len(keys) == 3
        assert all(len(key) == len("sekisho:limit:") + 64 for key in keys)
        lives = [await redis.pttl(key) for key in keys]
        assert all(0 < milliseconds <= 3_600_000 for milliseconds in lives)

    async def test_no_more_is_kept_of_a_key_than_its_limit(
        self, clock, redis, redis_address, in_redis
    ):
        some = in_redis(RedisConfig(address=redis_address))
        for _ in range(30):
            await some.take("password", account="alice", address="192.0.2.1")
            clock.advance(seconds=15)
        assert sorted([await redis.llen(key) for key in await redis.keys()]) == [5, 30]

    async def test_a_script_that_redis_has_forgotten_is_sent_again(
        self, clock, redis, redis_address, in_redis
    ):
        some = in_redis(RedisConfig(address=redis_address))
        await some.take("token_exchange", address="192.0.2.1")
        await redis.script_flush()
        tried = [await some.take("token_exchange", address="192.0.2.1") for _ in range(3)]
        assert tried.count(None) == 2


def _counted(metrics, name):
    (line,) = [one for one in metrics.text(()).splitlines() if one.startswith(f"{name} ")]
    return int(line.rpartition(" ")[2])


class TestRedisAway:
    """SEC-131"""

    async def test_guessing_goes_on_at_one_half_of_the_limit_sec_131(self, clock, in_redis):
        some = in_redis(NOBODY_LISTENS)
        tried = [await some.take("password", account="alice", address=a) for a in addresses()]
        assert tried.count(None) == 2
        tried = [
            await some.take("password", account=f"user{n}", address="192.0.2.1") for n in range(50)
        ]
        assert tried.count(None) == 15

    async def test_mail_is_closed_beyond_one_a_minute_to_an_address_sec_131(self, clock, in_redis):
        some, sent = in_redis(NOBODY_LISTENS), []
        for minute in range(60):
            for n in range(3):
                address = f"2001:db8:{minute:x}:{n}::1"
                if await some.take("passcode", account="alice@x.org", address=address) is None:
                    sent.append(minute)
            clock.advance(seconds=60)
        assert sent == [0, 1, 2, 3, 4]

    async def test_redis_that_says_nothing_is_not_waited_for_sec_131(self, clock, in_redis):
        async def hold(_reader, writer):
            await ended.wait()
            writer.close()

        assert PATIENCE == 0.25
        ended, slot = asyncio.Event(), Slot("0" * 64, 2, Duration(hours=1))
        async with listening(hold) as address:
            store = RedisWindows(RedisConfig(address=address), clock, patience=0.05, pause=3600)
            outcomes = await asyncio.gather(
                *(store.take([slot]) for _ in range(200)), return_exceptions=True
            )
            assert {type(one) for one in outcomes} == {StoreAway}
            ended.set()
            await store.close()

    async def test_what_is_counted_without_redis_shows_among_the_metrics_sec_131(self, in_redis):
        some = in_redis(NOBODY_LISTENS)
        name, metrics = "sekisho_rate_limits_apart_total", some.audit.metrics
        before = _counted(metrics, name)
        for _ in range(3):
            await some.take("token_exchange", address="192.0.2.1")
        assert _counted(metrics, name) - before == 3

    async def test_a_trace_shows_that_redis_was_asked_and_not_about_whom_sec_116(self, in_redis):
        some, kept = in_redis(NOBODY_LISTENS), Kept()
        with tracing(kept.tracer), work("test"):
            await some.take("password", account="alice@x.org", address="198.51.100.7")
        assert kept.one("EVALSHA").attributes["error.type"]
        assert not re.search("alice|198.51|sekisho:limit", kept.text())

    async def test_once_it_answers_again_it_counts_again(
        self, clock, redis, redis_address, in_redis
    ):
        some = in_redis(RedisConfig(address=redis_address))
        await redis.set("hold", 1)
        await redis.client_pause(50)
        for _ in range(3):
            await some.take("token_exchange", address="192.0.2.1")
        assert isinstance(await some.take("token_exchange", address="192.0.2.1"), Limited)
        assert len(await redis.keys("sekisho:limit:*")) == 1

    @pytest.mark.parametrize("words", [b"hello\r\n", b":one\r\n", b"-ERR no\r\n", b"+OK\r\n", b""])
    async def test_a_wrong_answer_is_no_answer(self, in_redis, words):
        async def answer(reader, writer):
            while await reader.read(1000):
                writer.write(words)
                if not words:
                    break
            writer.close()

        async with listening(answer) as address:
            some = in_redis(RedisConfig(address=address))
            tried = [await some.take("password", account="alice", address=a) for a in addresses()]
            assert tried.count(None) == 2
            await some.close()

    async def test_the_alarm_sounds_once_in_a_while_and_names_nobody(self, in_redis, capsys):
        """SEC-116"""
        logs.configure("WARNING")
        some = in_redis(NOBODY_LISTENS)
        for address in addresses():
            await some.take("password", account="alice@example.com", address=address)
        logs.configure("ERROR")
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["logger"] == "sekisho.ratelimit"
        assert "alice" not in line
        assert "198.51" not in line
        assert logging.getLogger().level == logging.ERROR


async def test_a_server_starts_without_redis_too(empty):
    """Correctness never depends on Redis; whoever cannot reach it counts by itself."""
    config = msgspec.structs.replace(
        empty, rate_limiter=RateLimiter(store="redis", redis_config=NOBODY_LISTENS)
    )
    services = assemble(config)
    tried = [await services.rate_limits.take("token_exchange", address="::1") for _ in range(3)]
    assert tried.count(None) == 1
    await services.rate_limits.close()
