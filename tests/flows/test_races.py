"""At most one action of a flow runs at a time, on any number of replicas (SEC-062)."""

import asyncio

from flows.people import ADA, PASSWORD, at_code, at_password, flow_row, person
from flows.walking import mailed_code

from app.persistence import fetch

REFUSED = {"technical_error", "operation_not_permitted_error"}
ROUNDS = 5


async def raced(replicas, client, action, times=10, **given):
    step = {"flow": client.flow_id, "action": action, "csrf": client.csrf, "given": given}
    found = await asyncio.gather(*(one.ask("advance", times=times, **step) for one in replicas))
    return [name for names in found for name in names]


async def sessions():
    return len(await fetch("SELECT id FROM user_session"))


async def test_two_replicas_take_one_step_between_them_sec_062(rest, services, replicas):
    """SEC-062: of forty tries at one password one is evaluated, and one session begins."""
    await person(services)
    for number in range(ROUNDS):
        await at_password(rest)
        before = (await flow_row(rest.flow_id))["version"]
        found = await raced(replicas, rest, "password_login", password=PASSWORD)
        assert found.count("success") == 1
        assert set(found) <= {"success"} | REFUSED
        assert (await flow_row(rest.flow_id))["version"] == before + 1
        assert await sessions() == number + 1 <= services.config.session.limit


async def test_a_code_is_redeemed_once_whoever_asks_sec_137(rest, services, replicas):
    """SEC-137: also where the flow's own lock were to fail, the code is gone."""
    await person(services)
    for _ in range(ROUNDS):
        await at_code(rest)
        code = await mailed_code(services, ADA)
        found = await raced(replicas, rest, "verify_passcode", code=code)
        assert found.count("success") == 1
        assert set(found) <= {"success"} | REFUSED


async def test_wrong_guesses_at_once_are_one_guess_sec_071(rest, services, replicas):
    """SEC-071: parallel connections and replicas buy no further try."""
    await person(services)
    await at_code(rest)
    await mailed_code(services, ADA)
    found = await raced(replicas, rest, "verify_passcode", code="000000")
    assert found.count("passcode_confirmation") == 1
    (row,) = await fetch("SELECT tries FROM passcode")
    assert row["tries"] == 1


async def test_a_replica_that_takes_over_after_a_lease_finds_the_flow_moved(rest, services):
    """Whoever comes late writes nothing: the version has risen."""
    await person(services)
    await at_password(rest)
    store = services.flows.store
    kept = await store.find((await flow_row(rest.flow_id))["id"])
    late = await store.lease(kept, services.clock())
    await store.release(kept, late)
    assert (await rest.act("password_login", password=PASSWORD)).name == "success"
    assert not await store.save(kept, late, "login_password", store.open(kept), "x")
    assert (await flow_row(rest.flow_id))["state"] == "success"
