"""Every state that a flow can be in, under a lattice of configurations."""

import inspect
from dataclasses import replace

import pytest
from flows.model import doubles, walks
from flows.model.explorer import Explorer
from flows.model.people import FULL, NOBODY, USERS, Kind
from flows.model.settings import config_of
from flows.model.survey import survey
from flows.model.walks import CONFIGURATIONS
from graphql import print_schema

from app.audit import AuditLog
from app.config.check import refuse_contradictions
from app.credentials.passcodes import Passcodes
from app.credentials.passkey_ceremonies import PasskeyCeremonies
from app.credentials.passkeys import Passkeys
from app.credentials.passwords import Passwords
from app.credentials.recovery_codes import RecoveryCodes
from app.credentials.totp import Totp
from app.credentials.trusted_devices import TrustedDevices
from app.federation.saml.service import Saml
from app.federation.service import Federation
from app.flows import engine
from app.flows.definitions import FLOWS
from app.flows.domains import Domains
from app.flows.errors import FlowDiscontinuity
from app.flows.login_init import ContinueWithLoginIdentifier
from app.flows.outcomes import End, Move
from app.flows.states import LoginOtp, LoginPasswordRecovery
from app.flows.step import Action
from app.flows.store import Content
from app.graphql import schema
from app.graphql.errors import camel
from app.graphql.flow_types import every_action, every_state, pascal
from app.mail import Mail
from app.metadata import Metadata
from app.ratelimit import RateLimits
from app.selfservice.notices import Notices
from app.sessions import Sessions, SessionTokens
from app.users import Users

PARTS = 6
"""The more there are, the better they spread over processes, and the more steps are taken twice."""
TOLD = 5


@pytest.fixture(autouse=True)
def edges(monkeypatch):
    walks.replace_edges(monkeypatch)


@pytest.fixture
def explorer():
    """An explorer; what it remembers, millions of objects, goes with the test."""
    explorer = Explorer()
    yield explorer
    explorer.forget()


# The lattice


def test_there_are_at_least_a_thousand_configurations_and_each_may_be_configured():
    def refuse(why):
        raise AssertionError(why)

    assert len(CONFIGURATIONS) >= 1000
    assert len({tuple(sorted(one.items(), key=str)) for one in CONFIGURATIONS}) >= 1000
    for values in CONFIGURATIONS[::50]:
        refuse_contradictions(config_of(values), refuse)


def test_every_subset_of_what_opens_an_account_is_a_kind_of_user():
    assert len(set(USERS)) == 2**6 - 2**4  # none is without an address and a name


# The proofs


@pytest.mark.untraced  # other tests show that each line is run
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_reached_keeps_every_rule_sec_032_037_038_058_060_063(explorer, part):
    """In every state that the flows reach, for all kinds of users:

    (a) nobody is signed in without every factor that the account requires, whichever first factor
    was shown, and no session is there before (SEC-032, SEC-038, SEC-058); no change of a profile
    shuts its user out or takes a factor that must be (SEC-037);
    (b) something is offered, and an end is reached by whoever owns the credentials;
    (c) going back reaches nothing that is not reached without it;
    (d) with hints off who is known and who is not walk alike, and so do free and taken addresses;
    and what is shown as offered is what is accepted (SEC-060), and no step of it fails.
    """
    first, beyond = (len(CONFIGURATIONS) * end // PARTS for end in (part, part + 1))
    found = [
        violation
        for number in range(first, beyond)  # neighbours share most of their steps
        for violation in walks.violations(explorer, number)
    ]
    assert not found, f"{len(found)} violations, such as\n" + "\n".join(
        sorted(found, key=len)[:TOLD]
    )


# (e) Nothing is dead


NEVER_OFFERED = {("token_exchange", "mfa_method_chooser", "skip")}
"""After a provider a second factor is asked for only where there must be one (Q-14)."""

REACHED = {
    "login": """preflight login_init login_method_chooser login_password login_password_recovery
        login_passkey passcode_confirmation credential_onboarding_chooser onboarding_create_passkey
        onboarding_verify_passkey_attestation password_creation onboarding_username onboarding_email
        login_security_key login_otp mfa_method_chooser mfa_otp_secret_creation
        mfa_security_key_creation device_trust thirdparty success error""",
    "registration": """preflight registration_init thirdparty passcode_confirmation
        credential_onboarding_chooser onboarding_create_passkey
        onboarding_verify_passkey_attestation password_creation onboarding_username onboarding_email
        login_security_key login_otp login_passkey mfa_method_chooser mfa_otp_secret_creation
        mfa_security_key_creation device_trust success error""",
    "profile": """preflight profile_init thirdparty passcode_confirmation
        webauthn_credential_verification mfa_otp_secret_creation account_deleted""",
    "token_exchange": """thirdparty preflight passcode_confirmation
        onboarding_verify_passkey_attestation onboarding_username onboarding_email
        login_security_key login_otp login_passkey mfa_method_chooser mfa_otp_secret_creation
        mfa_security_key_creation device_trust success error""",
}
"""The states that the flow API says are reached in practice (§2.0), and those of second factors
after a provider (Q-14); `error` is reached where a way on is missing, which a profile never
lacks."""


@pytest.mark.untraced  # as above
def test_every_state_is_reached_and_every_action_of_it_runs_somewhere(explorer):
    survey(explorer)
    for kind, states in REACHED.items():  # in one test: the survey is dear
        seen = {one[1:] for one in explorer.seen if one[0] == kind}
        reached = {state for one, _, other in seen for state in (one, other)}
        assert reached == set(states.split()), kind
        flow = FLOWS[kind]
        defined = {(name, one.name) for name in reached for one in flow.actions[flow.by_name[name]]}
        dead = defined - {(state, action) for state, action, _ in seen}
        assert {one for one in dead if (kind, *one) not in NEVER_OFFERED} == set(), kind


def test_both_faces_know_every_state_and_action():
    states = {state for flow in FLOWS.values() for state in flow.actions}
    actions = {a.name for flow in FLOWS.values() for some in flow.actions.values() for a in some}
    assert set(every_state()) == states
    assert set(every_action()) == actions
    typed = print_schema(schema())
    for state in states:
        assert f"type {pascal(state.name)}" in typed
    for action in actions:
        assert f"\n  {camel(action)}: " in typed


# The model itself


MUST = {"mfa.enabled": True, "mfa.totp.enabled": True, "email.enabled": True}
MUST |= {"password.enabled": True, "password.recovery": True, "email.use_for_authentication": True}
MUST |= {"email.use_as_login_identifier": True, "username.enabled": False}
MUST |= {"privacy.show_account_existence_hints": False, "mfa.device_trust_policy": "never"}
MUST |= {"third_party.providers.google.enabled": False, "saml.enabled": False}
MUST |= {"privacy.only_show_actual_login_methods": False, "email.optional": False}
KEEPER = Kind(replace(FULL, keys=(), username=None, has_recovery=False))


def found_in_login():
    """What is found wrong with a login under settings in which nothing is, by a new explorer."""
    values, explorer = {**CONFIGURATIONS[0], **MUST}, Explorer()
    graph = walks.login(explorer, values, KEEPER)
    unknown = walks.login(explorer, values, NOBODY)
    yield from walks.of_login(graph, values, KEEPER)
    yield from walks.proofs.differences(graph, unknown)


def test_a_flow_as_it_is_is_found_to_be_good():
    assert list(found_in_login()) == []


class Slip(Action, frozen=True):
    """Pass for somebody who has shown the second factor."""

    name = "slip"

    async def run(self, step):
        step.stash.mfa_method = "totp"
        return Move(no_back=True)


def with_actions(monkeypatch, state, *actions):
    flow = FLOWS["login"]
    monkeypatch.setitem(flow.actions, state, actions)


def test_a_way_around_the_second_factor_is_found_sec_058(monkeypatch):
    with_actions(monkeypatch, LoginOtp, *FLOWS["login"].actions[LoginOtp], Slip)
    found = list(found_in_login())
    assert any(
        "(a) signed in with password, mail and provider, no second factor" in one for one in found
    )
    assert any("-> login_otp; slip -> " in one for one in found)


def test_a_state_without_an_action_is_found(monkeypatch):
    with_actions(monkeypatch, LoginPasswordRecovery)
    assert any("(b) nothing is offered" in one for one in found_in_login())


def test_going_back_with_what_was_remembered_since_is_found(monkeypatch):
    go_back = engine._go_back

    async def leaky(flow, step, content):
        stash = step.stash.snapshot()
        restored = await go_back(flow, step, content)
        step.stash.recovery_pending = stash.recovery_pending
        return Content(
            step.stash, restored.previous, restored.schedule, restored.visited, restored.past
        )

    monkeypatch.setattr(engine, "_go_back", leaky)
    assert any("(c) only by going back" in one for one in found_in_login())


def test_a_hint_that_nobody_is_there_is_found_sec_066(monkeypatch):
    go_on = ContinueWithLoginIdentifier._go_on

    async def telling(self, step):
        return await go_on(self, step) if step.stash.user_id else End(FlowDiscontinuity())

    monkeypatch.setattr(ContinueWithLoginIdentifier, "_go_on", telling)
    assert any("(d) known and unknown differ" in one for one in found_in_login())


@pytest.mark.parametrize(
    ("double", "real"),
    [
        (doubles.Users, Users),
        (doubles.Passwords, Passwords),
        (doubles.Passkeys, Passkeys),
        (doubles.PasskeyCeremonies, PasskeyCeremonies),
        (doubles.Passcodes, Passcodes),
        (doubles.Totp, Totp),
        (doubles.RecoveryCodes, RecoveryCodes),
        (doubles.TrustedDevices, TrustedDevices),
        (doubles.Sessions, Sessions),
        (doubles.Federation, Federation),
        (doubles.Saml, Saml),
        (doubles.Tokens, SessionTokens),
        (doubles.Metadata, Metadata),
        (doubles.Mail, Mail),
        (doubles.Audit, AuditLog),
        (doubles.RateLimits, RateLimits),
        (doubles.Notices, Notices),
    ],
    ids=lambda one: one.__name__,
)
def test_a_double_has_the_signatures_of_the_real_service(double, real):
    methods = [n for n, m in vars(double).items() if inspect.isfunction(m) and n[0] != "_"]
    assert methods
    for name in methods:
        mine, theirs = (inspect.signature(getattr(one, name)) for one in (double, real))
        assert shape(mine) == shape(theirs), name


def shape(signature):
    return [(p.name, p.kind) for p in signature.parameters.values()]


def test_the_doubles_are_all_that_flows_may_call():
    over = doubles.domains_over(doubles.Place(), config_of({}))
    assert set(vars(over)) == set(Domains.__dataclass_fields__)
