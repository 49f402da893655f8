"""Many writers at once lose nothing (SEC-136)."""

import asyncio
import json

from factories import make_session, make_user, session_actor

from app.access import SYSTEM
from app.metadata import BagChanges, MetadataVersionConflict
from app.persistence import speaks
from app.selfservice import Oneself
from app.users import ProfileChanges


def writers() -> int:
    return 200 if speaks() == "postgres" else 50


async def bags_of(services, user):
    return (await services.metadata.of([user.id]))[user.id]


async def test_concurrent_merges_of_distinct_keys_are_all_kept(services):
    """SEC-136"""
    user = await make_user(services)
    keys = [f"k{n}" for n in range(writers())]
    await asyncio.gather(
        *(services.metadata.change(SYSTEM, user.id, BagChanges(public={key: 1})) for key in keys)
    )
    bags = await bags_of(services, user)
    assert json.loads(bags.public).keys() == set(keys)
    assert bags.version == len(keys)


async def test_merges_through_two_processes_are_all_kept(services, replicas):
    """SEC-136"""
    user = await make_user(services)
    keys = [f"k{n}" for n in range(writers())]
    halves = keys[::2], keys[1::2]
    done = await asyncio.gather(
        *(
            replica.ask("merge", user=str(user.id), bag="public", keys=half)
            for replica, half in zip(replicas, halves, strict=True)
        )
    )
    bags = await bags_of(services, user)
    assert sum(done) == len(keys)
    assert json.loads(bags.public).keys() == set(keys)
    assert bags.version == len(keys)


async def test_an_admin_and_the_user_at_once_lose_nothing_of_each_other(services):
    """SEC-136"""
    user = await make_user(services)
    own = session_actor(await make_session(services, user))
    keys = [f"k{n}" for n in range(25)]
    by_admin = (
        services.metadata.change(
            SYSTEM, user.id, BagChanges(unsafe={f"a{key}": 1}, public={key: 1})
        )
        for key in keys
    )
    by_user = (
        services.self_service.update(Oneself(own), ProfileChanges(name=key), {f"u{key}": 1})
        for key in keys
    )
    await asyncio.gather(*by_admin, *by_user)
    bags = await bags_of(services, user)
    assert json.loads(bags.public).keys() == set(keys)
    assert json.loads(bags.unsafe).keys() == {f"{who}{key}" for who in "au" for key in keys}


async def test_of_many_writers_at_one_version_one_wins(services):
    user = await make_user(services, public={"a": 0})
    outcomes = await asyncio.gather(
        *(
            services.metadata.change(SYSTEM, user.id, BagChanges(public={"a": n}), if_version=1)
            for n in range(1, 11)
        ),
        return_exceptions=True,
    )
    lost = [one for one in outcomes if isinstance(one, MetadataVersionConflict)]
    (won,) = (one for one in outcomes if not isinstance(one, BaseException))
    assert len(lost) == 9
    assert all(one.current_version == 2 for one in lost)
    assert (await bags_of(services, user)).public == won.public
