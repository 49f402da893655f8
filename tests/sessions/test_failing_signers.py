"""Where tokens cannot be signed nothing is lost for it."""

import pytest
from factories import make_session, make_user, reconfigured
from msgspec.structs import replace

from app.access import SYSTEM
from app.config.values import Duration
from app.keys import SignerUnavailable
from app.keys.pairs import PublicHalf
from app.persistence import fetch
from app.sessions import SignedIn


@pytest.fixture
async def refreshing(services):
    session = replace(services.config.session, access_token_lifespan=Duration(minutes=10))
    return await reconfigured(services, session=session)


async def lose_signer(services):
    """Take the private half away, as a KMS does that is out of reach; give the way back."""
    ring = services.signing_keys.reader.ring
    kept = dict(ring.opened)
    ring.opened = {k: PublicHalf(s.kid, s.algorithm, s.public) for k, s in kept.items()}
    ring.active = None

    async def back():
        ring.opened = kept
        ring._until = ring._from  # so that the ring is worked out anew

    return back


async def test_a_refresh_that_fails_leaves_the_refresh_token_as_good_as_it_was(refreshing, clock):
    """SEC-130"""
    issued = await make_session(refreshing, await make_user(refreshing))
    back = await lose_signer(refreshing)
    with pytest.raises(SignerUnavailable):
        await refreshing.refreshing.exchange(SYSTEM, issued.refresh_token)
    await back()
    clock.advance(minutes=1)
    renewed = await refreshing.refreshing.exchange(SYSTEM, issued.refresh_token)
    assert isinstance(await refreshing.sessions.authenticate(renewed.token), SignedIn)
    rows = await fetch("SELECT id FROM audit_event WHERE type = 'session_refresh_reused'")
    assert rows == []


async def test_a_sign_in_that_fails_ends_no_other_session(refreshing):
    """SEC-130"""
    user = await make_user(refreshing)
    kept = {(await make_session(refreshing, user)).session.id for _ in range(5)}
    await lose_signer(refreshing)
    for _ in range(5):
        with pytest.raises(SignerUnavailable):
            await make_session(refreshing, user)
    assert {row["id"] for row in await fetch("SELECT id FROM user_session")} == kept
