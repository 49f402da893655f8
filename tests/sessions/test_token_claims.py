"""What tokens claim: as things are when they are minted, shown as things are now."""

import string

import jwt
import pytest
from factories import key_actor, make_session, make_user, reconfigured
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.access import SYSTEM
from app.config.sections import MAX_COOKIE, BagLimit, BagLimits, JwtTemplate, UserMetadata
from app.errors import IdentityError
from app.http import SessionCookie
from app.metadata import BagChanges
from app.sessions import SignedIn
from app.users import NewEmail, ProfileChanges

CLAIMS = {
    "plan": '{{ user.public_metadata.plan || "free" }}',
    "theme": "{{ user.unsafe_metadata.theme }}",
    "seats": "{{ user.public_metadata.seats }}",
    "who": "{{ .User.Name }}",
}


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


async def templated(services, claims=None, **template):
    """The services with claims of an application's own."""
    configured = JwtTemplate(claims=CLAIMS if claims is None else claims, **template)
    session = replace(services.config.session, jwt_template=configured)
    return await reconfigured(services, session=session)


async def signed_in(services, token):
    found = await services.sessions.authenticate(token, with_subject=True)
    assert isinstance(found, SignedIn)
    return found


async def current(services, token):
    return await services.sessions.claims.current(await signed_in(services, token))


class TestMinting:
    async def test_a_token_carries_the_configured_claims(self, services):
        others = await templated(services)
        user = await make_user(others, public={"plan": "pro", "seats": 25}, name="Ada")
        claims = claims_of((await make_session(others, user)).token)
        assert {name: claims.get(name) for name in CLAIMS} == {
            "plan": "pro",
            "theme": None,
            "seats": 25,
            "who": "Ada",
        }
        assert "theme" not in claims
        assert claims["metadata_version"] == 1

    async def test_numbers_keep_every_digit(self, services):
        others = await templated(services, {"all": "{{ user.public_metadata }}"})
        user = await make_user(others)
        digits = 12345678901234567890123456789
        await others.metadata.change(SYSTEM, user.id, BagChanges(public={"n": digits}))
        issued = await make_session(others, user)
        assert claims_of(issued.token)["all"] == {"n": digits}

    async def test_a_template_that_is_set_counts_from_the_next_token_on(self, services):
        actor = await key_actor(services)
        user = await make_user(services, public={"plan": "pro"})
        before = await make_session(services, user)
        await services.templates.set(
            actor, {"tier": "{{ user.public_metadata.plan }}"}, allow_omission=True
        )
        after = await make_session(services, user)
        assert "tier" not in claims_of(before.token)
        assert claims_of(after.token)["tier"] == "pro"

    @pytest.mark.parametrize("name", ["sub", "session_id", "exp", "aud", "iss", "metadata_version"])
    async def test_no_template_sets_a_claim_of_the_product(self, services, name):
        """SEC-010"""
        others = await templated(services, {name: "forged", "mine": "kept"})
        claims = claims_of((await make_session(others, await make_user(others))).token)
        assert claims["mine"] == "kept"
        assert claims.get(name) != "forged"


class TestCurrent:
    async def test_what_changes_after_minting_shows_at_once(self, services):
        others = await templated(services)
        user = await make_user(others, email="ada@example.com", name="Ada")
        token = (await make_session(others, user)).token
        assert await current(others, token) == claims_of(token)
        await others.metadata.change(
            SYSTEM, user.id, BagChanges(public={"plan": "pro"}, unsafe={"theme": "dark"})
        )
        await others.users.update(SYSTEM, user.id, ProfileChanges(username="ada_l", name="Ada L"))
        await others.users.add_email(SYSTEM, user.id, NewEmail("new@example.com", is_primary=True))
        claims = await current(others, token)
        assert (claims["plan"], claims["theme"], claims["who"]) == ("pro", "dark", "Ada L")
        assert (claims["username"], claims["metadata_version"]) == ("ada_l", 1)
        assert claims["email"]["address"] == "new@example.com"

    async def test_a_template_that_is_set_or_reset_shows_at_once(self, services):
        actor = await key_actor(services)
        token = (await make_session(services, await make_user(services))).token
        await services.templates.set(actor, {"tier": "one"})
        assert (await current(services, token))["tier"] == "one"
        await services.templates.reset(actor)
        assert await current(services, token) == claims_of(token)

    async def test_times_and_identity_stay_those_of_the_token(self, services, clock):
        token = (await make_session(services, await make_user(services))).token
        clock.advance(hours=1)
        kept = ("sub", "session_id", "iat", "exp", "aud")
        claims, old = await current(services, token), claims_of(token)
        assert {name: claims[name] for name in kept} == {name: old[name] for name in kept}

    async def test_a_user_deleted_meanwhile_leaves_the_claims_of_the_token(self, services):
        user = await make_user(services)
        issued = await make_session(services, user)
        found = await services.sessions.authenticate(issued.token)
        await services.users.delete(SYSTEM, user.id)
        assert await services.sessions.claims.current(found) == found.claims

    async def test_the_private_bag_is_never_among_what_is_read(self, services):
        """SEC-002, SEC-009"""
        others = await templated(services, {"p": "{{ .User }}"})
        user = await make_user(others, private={"ssn": "marker"}, public={"a": 1})
        issued = await make_session(others, user)
        found = await signed_in(others, issued.token)
        assert "marker" not in str(found)
        assert "marker" not in str(claims_of(issued.token))


class TestRenewing:
    async def test_a_token_whose_claims_are_current_is_not_renewed(self, services):
        found = await signed_in(
            services, (await make_session(services, await make_user(services))).token
        )
        claims = await services.sessions.claims.current(found)
        assert await services.sessions.renew(found, claims) is None

    async def test_a_renewed_token_ends_when_the_old_one_does(self, services, clock):
        """SEC-028"""
        user = await make_user(services)
        issued = await make_session(services, user)
        clock.advance(hours=3)
        await services.metadata.change(SYSTEM, user.id, BagChanges(public={"plan": "pro"}))
        found = await signed_in(services, issued.token)
        claims = await services.sessions.claims.current(found)
        renewed = await services.sessions.renew(found, claims)
        old, new = claims_of(issued.token), claims_of(renewed.token)
        assert (new["exp"], new["session_id"]) == (old["exp"], old["session_id"])
        assert new["iat"] == int(clock.now.timestamp())
        assert new["metadata_version"] == 1
        assert renewed.expires_at.timestamp() == old["exp"]
        assert (await signed_in(services, renewed.token)).session.id == issued.session.id


keys = st.text(string.ascii_lowercase, min_size=1, max_size=8)
texts = (
    st.text(max_size=3000) | st.text("\U0001f600", max_size=3000) | st.text('"\\', max_size=3000)
)
bags = st.dictionaries(keys, texts, max_size=4)
sources = st.sampled_from(
    [
        "{{ user.public_metadata }}",
        "{{ user.unsafe_metadata }}",
        "{{ .User }}",
        "{{ .User.Name }}{{ .User.Email }}",
        "{{range $i := 4000}}xx{{end}}",
        "plain",
    ]
)
templates = st.dictionaries(keys, sources, max_size=5)


policies = st.builds(
    JwtTemplate, budget=st.sampled_from([0, 1200]), over_budget=st.sampled_from(["omit", "refuse"])
)


@given(template=policies, claims=templates, public=bags, unsafe=bags, name=st.text(max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
async def test_sec_030_no_accepted_writes_mint_a_cookie_beyond_its_limit(
    services, *, template, claims, public, unsafe, name
):
    caps = UserMetadata(limits=BagLimits(*(BagLimit(max=60_000) for _ in range(3))))
    session = replace(services.config.session, jwt_template=template)
    others = await reconfigured(services, session=session, user_metadata=caps)
    user = await make_user(others)
    writes = [
        others.templates.set(SYSTEM, claims, allow_omission=True),
        others.metadata.change(SYSTEM, user.id, BagChanges(public=public)),
        others.metadata.change(SYSTEM, user.id, BagChanges(unsafe=unsafe)),
        others.users.update(SYSTEM, user.id, ProfileChanges(name=name)),
    ]
    for write in writes:
        try:
            await write
        except IdentityError:
            continue
    issued = await make_session(others, user)
    for header, line in SessionCookie(session).delivery(issued):
        assert header != b"set-cookie" or len(line) <= MAX_COOKIE
    assert isinstance(await others.sessions.authenticate(issued.token), SignedIn)
    await others.users.delete(SYSTEM, user.id)
