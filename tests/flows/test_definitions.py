"""The flows as data: what the specification lists, what the faces have, what leads where."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from graphql import parse

from app.cli.main import sekisho
from app.errors import Forbidden, leaves
from app.flows import errors as flow_errors
from app.flows.definitions import FLOWS
from app.flows.diagram import diagram
from app.flows.errors import FlowError, InputError
from app.flows.states import Error, Success
from app.graphql import printed_schema
from app.graphql.flow_types import (
    described,
    description_of,
    every_action,
    every_state,
    key_of,
    pascal,
)

STATES = """
preflight login_init login_method_chooser login_password login_password_recovery login_passkey
thirdparty passcode_confirmation credential_onboarding_chooser onboarding_create_passkey
onboarding_verify_passkey_attestation password_creation onboarding_username onboarding_email
login_security_key login_otp mfa_method_chooser mfa_otp_secret_creation
mfa_security_key_creation device_trust registration_init profile_init
webauthn_credential_verification account_deleted success error
"""
"""The 26 states of the flow API."""

MINE = """
register_client_capabilities continue_with_login_identifier webauthn_generate_request_options
webauthn_verify_assertion_response remember_me thirdparty_oauth exchange_token back
continue_to_password_login continue_to_passcode_confirmation password_login
continue_to_passcode_confirmation_recovery password_recovery verify_passcode resend_passcode
register_login_identifier
"""
CREDENTIAL_USAGE = {
    "login_init": {
        "continue_with_login_identifier",
        "webauthn_generate_request_options",
        "webauthn_verify_assertion_response",
        "remember_me",
        "thirdparty_oauth",
    },
    "login_passkey": {"webauthn_verify_assertion_response", "back"},
    "thirdparty": {"exchange_token", "back"},
    "login_method_chooser": {
        "continue_to_password_login",
        "continue_to_passcode_confirmation",
        "webauthn_generate_request_options",
        "back",
    },
    "login_password": {"password_login", "continue_to_passcode_confirmation_recovery", "back"},
    "login_password_recovery": {"password_recovery"},
    "passcode_confirmation": {"verify_passcode", "resend_passcode", "back"},
}
DOCUMENT = parse(printed_schema())
TYPES = {one.name.value: one for one in DOCUMENT.definitions if hasattr(one, "name")}


def fields(name):
    return {one.name.value for one in TYPES[name].fields}


def test_there_are_the_states_of_the_flow_api_and_no_other():
    assert {state.name for state in every_state()} == set(STATES.split())


def test_the_actions_of_signing_in_are_there():
    assert set(MINE.split()) <= every_action().keys()


@pytest.mark.parametrize("state", CREDENTIAL_USAGE)
def test_each_state_of_signing_in_has_its_actions(state):
    login = FLOWS["login"]
    found = {one.name for one in login.actions[login.by_name[state]]}
    assert found == CREDENTIAL_USAGE[state]


def test_token_exchange_offers_no_way_back_from_a_provider():
    flow = FLOWS["token_exchange"]
    assert [one.name for one in flow.actions[flow.by_name["thirdparty"]]] == ["exchange_token"]


@pytest.mark.parametrize("kind", FLOWS)
def test_every_flow_can_end(kind):
    flow = FLOWS[kind]
    assert flow.error is Error
    assert flow.actions[Error] == ()
    if kind != "profile":
        assert flow.actions[Success] == ()


@pytest.mark.parametrize("kind", FLOWS)
def test_no_state_has_two_actions_of_one_name(kind):
    for actions in FLOWS[kind].actions.values():
        names = [one.name for one in actions]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", FLOWS)
def test_no_two_states_have_one_name(kind):
    assert len(FLOWS[kind].by_name) == len(FLOWS[kind].actions)


def test_hooks_and_starts_name_states_of_their_flow():
    for flow in FLOWS.values():
        named = {*flow.start, *flow.before, *flow.after}
        assert named <= set(flow.actions)
        assert set(flow.after_part) <= {flow.kind, *(part.name for part in flow.parts)}


def test_actions_of_one_name_take_the_same_inputs():
    by_name = {}
    for flow in FLOWS.values():
        for actions in flow.actions.values():
            for action in actions:
                by_name.setdefault(action.name, set()).add(
                    tuple((one.name, str(one.kind)) for one in described(action))
                )
    assert {name: len(shapes) for name, shapes in by_name.items() if len(shapes) > 1} == {}


def test_every_state_and_action_is_described_in_a_sentence():
    for one in (*every_state(), *every_action().values()):
        assert re.fullmatch(r"[A-Z].*\.", description_of(one)), one
        assert all(re.fullmatch(r"[A-Z].*\.", field.about) for field in described(one))


def test_every_input_has_a_default():
    assert all(action() for action in every_action().values())


# Neither face lacks a state or an action


def test_every_state_is_a_type_of_the_schema():
    for state in every_state():
        node = TYPES[pascal(state.name)]
        assert [one.name.value for one in node.interfaces] == ["FlowState"]
        expected = {"name", *(key_of(one.name) for one in described(state))}
        assert fields(pascal(state.name)) == expected


def test_every_action_is_a_key_of_the_schema_and_no_other_is():
    assert fields("FlowAction") == {key_of(name) for name in every_action()}
    for name, action in every_action().items():
        if described(action):
            expected = {key_of(one.name) for one in described(action)}
            assert fields(f"{pascal(name)}Input") == expected


def test_every_flow_is_a_kind_of_the_schema():
    kinds = {one.name.value.lower() for one in TYPES["FlowKind"].values}
    assert kinds == set(FLOWS)


def test_every_refusal_of_a_flow_is_a_code_of_the_schema():
    codes = {one.name.value.lower() for one in TYPES["ErrorCode"].values}
    assert {leaf.code for leaf in flow_errors.told()} <= codes


FLOW_CODES = {
    "technical_error": 500,
    "flow_discontinuity_error": 500,
    "flow_expired_error": 410,
    "operation_not_permitted_error": 403,
    "form_data_invalid_error": 400,
    "not_found": 404,
    "passcode_max_attempts_reached": 401,
    "passkey_invalid": 401,
    "webauthn_credential_invalid_mfa_only": 401,
    "rate_limit_exceeded": 429,
    "unauthorized": 401,
    "platform_authenticator_required": 401,
}
INPUT_CODES = """
value_missing_error value_invalid_error value_too_long_error value_too_short_error
email_already_exists username_already_exists unknown_username_error unknown_email_error
invalid_username_error passcode_invalid otp_code_invalid otp_code_already_used
invalid_metadata_error
"""


def test_the_codes_are_those_of_the_flow_api_with_their_statuses():
    found = {
        leaf.code: flow_errors.status_of(leaf.__new__(leaf))
        for leaf in flow_errors.told()
        if not issubclass(leaf, InputError)
    }
    assert found.items() >= FLOW_CODES.items()
    assert flow_errors.status_of(Forbidden()) == 403
    inputs = {leaf.code for leaf in leaves(InputError) if "code" in vars(leaf)}
    assert inputs == set(INPUT_CODES.split())
    own = {leaf.code for leaf in leaves(FlowError) if "code" in vars(leaf)}
    assert own <= FLOW_CODES.keys()


async def test_every_state_is_printed_by_the_reference_s_face():
    """A state made of nothing is shown as an empty payload, whichever it is."""
    from app.access import Actor  # noqa: PLC0415
    from app.config.sections import Mfa  # noqa: PLC0415
    from app.rest.flow_shapes import Viewer, _payload  # noqa: PLC0415

    viewer = Viewer(Actor(), Mfa(), shows_passkeys=True)
    assert all(_payload(state(), viewer) == {} for state in every_state())


# The documents


def test_the_page_shows_the_flows_as_they_are_defined():
    page = (Path(__file__).parents[2] / "docs" / "flows.md").read_text()
    drawn = re.findall(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert drawn == [diagram(flow) + "\n" for flow in FLOWS.values()]


def test_a_command_draws_them():
    for kind, flow in FLOWS.items():
        printed = CliRunner().invoke(sekisho, ["flow", "print", kind])
        assert printed.output == diagram(flow) + "\n"


def test_every_state_is_drawn_once_with_its_actions():
    for flow in FLOWS.values():
        drawn = diagram(flow)
        for state, actions in flow.actions.items():
            (line,) = re.findall(rf'^    {state.name}\["(.*)"\]$', drawn, re.MULTILINE)
            assert line.split("<br>")[1:] == [one.name for one in actions]
