"""The tree of refusals."""

import re

import pytest

import app.assembly  # noqa: F401  # declares every leaf of the domains
from app.access import SCOPES, Actor, SecretKeyPrincipal, SessionPrincipal, covers
from app.errors import (
    Conflict,
    Forbidden,
    IdentityError,
    Invalid,
    NotFound,
    RateLimited,
    ScopeMissing,
    Unauthenticated,
    leaves,
)
from app.ids import new_id

FAMILIES = (Unauthenticated, Forbidden, NotFound, Conflict, Invalid, RateLimited)


def test_every_class_that_declares_a_code_has_one_of_its_own():
    declaring = [leaf for leaf in leaves() if "code" in vars(leaf) and leaf is not IdentityError]
    codes = [leaf.code for leaf in declaring]
    assert sorted(set(codes)) == sorted(codes)
    assert len(codes) > 20


def test_every_code_is_a_word_that_graphql_can_write_in_capitals():
    for leaf in leaves():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", leaf.code)


def test_every_class_has_a_plain_sentence():
    for leaf in leaves():
        assert re.fullmatch(r"[A-Z].*\.", leaf.message), leaf


def test_the_walk_meets_each_class_once_and_parents_first():
    walked = list(leaves())
    assert walked[0] is IdentityError
    assert set(FAMILIES) < set(walked)
    assert len(set(walked)) == len(walked)
    assert all(walked.index(leaf.__base__) < walked.index(leaf) for leaf in walked[1:])


def test_a_refusal_speaks_its_own_sentence_or_a_more_exact_one():
    assert str(NotFound()) == NotFound.message
    exact = NotFound("There is no such lamp.", path=("lamp_id",))
    assert (str(exact), exact.message, exact.path) == (
        "There is no such lamp.",
        "There is no such lamp.",
        ("lamp_id",),
    )
    assert NotFound.message == "There is no such object."


def test_a_limit_says_when_to_come_back():
    assert RateLimited(7).retry_after == 7


class TestActor:
    session = SessionPrincipal(new_id(), new_id())

    def test_a_session_is_a_user(self):
        actor = Actor(session=self.session)
        assert actor.require_user() == self.session.user_id
        assert actor.require_session() == self.session.id

    def test_a_secret_key_is_no_user(self):
        """SEC-016"""
        key = SecretKeyPrincipal(new_id(), frozenset({"*"}))
        for actor in (Actor(), Actor(secret_key=key)):
            for require in (actor.require_user, actor.require_session):
                with pytest.raises(Unauthenticated):
                    require()

    def test_a_key_with_the_scopes_is_let_in(self):
        key = SecretKeyPrincipal(new_id(), frozenset({"users:read", "users:write"}))
        actor = Actor(session=self.session, secret_key=key)
        assert actor.require_scopes("users:read") is key
        assert actor.require_scopes("users:read", "users:write") is key
        assert actor.require_scopes() is key

    def test_a_key_without_a_scope_is_told_which_are_needed(self):
        """SEC-015"""
        actor = Actor(secret_key=SecretKeyPrincipal(new_id(), frozenset({"users:read"})))
        with pytest.raises(ScopeMissing) as refused:
            actor.require_scopes("users:read", "keys:write")
        assert refused.value.required == ("users:read", "keys:write")
        assert refused.value.code == Forbidden.code

    def test_a_session_opens_nothing_that_needs_a_key(self):
        """SEC-016"""
        with pytest.raises(ScopeMissing):
            Actor(session=self.session).require_scopes("users:read")

    def test_nobody_is_asked_for_a_key(self):
        """SEC-012"""
        with pytest.raises(Unauthenticated):
            Actor().require_scopes("users:read")

    def test_the_star_covers_everything_and_nothing_else_does(self):
        assert covers(frozenset({"*"}), SCOPES)
        assert not covers(frozenset(SCOPES), ("*",))
        assert covers(frozenset(SCOPES), SCOPES)
        assert not covers(frozenset(), ("users:read",))
        assert covers(frozenset(), ())
