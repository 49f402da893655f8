"""Every state and action is walked in both faces, and the JSON of every state is known."""

import json
import re
from pathlib import Path

import pytest
from flows.journeys import JOURNEYS, World, travelled

from app.flows.definitions import FLOWS

RECORDED = Path(__file__).parent / "recorded"

NEVER = {
    "login": "",
    "registration": "login_init login_method_chooser login_password login_password_recovery",
    "profile": "error",
    "token_exchange": """login_init login_method_chooser login_password login_password_recovery
        credential_onboarding_chooser onboarding_create_passkey password_creation""",
}
"""The states that no request leads to: those of sub-flows that the flow has no way into (§2.0).
A profile is over by its account's deletion; its `error` is a failure that has no state."""

NEVER_OFFERED = {("token_exchange", "mfa_method_chooser", "skip")}
"""After a provider a second factor is asked for only where there must be one (Q-14)."""


def walked(kind):
    return {
        (state, action)
        for journey in JOURNEYS.values()
        if journey.kind == kind
        for state, action, _ in journey.steps
    }


def seen(kind):
    ends = {journey.end for journey in JOURNEYS.values() if journey.kind == kind}
    return ends | {state for state, _ in walked(kind)}


def missing(kind, steps):
    """The steps that are defined and that nobody has taken."""
    flow, never = FLOWS[kind], NEVER[kind].split()
    defined = {
        (state.name, action.name)
        for state, actions in flow.actions.items()
        for action in actions
        if state.name not in never and (kind, state.name, action.name) not in NEVER_OFFERED
    }
    return defined - steps


@pytest.mark.parametrize("kind", FLOWS)
def test_every_state_and_action_stands_in_a_journey(kind):
    assert missing(kind, walked(kind)) == set()
    assert seen(kind) == FLOWS[kind].by_name.keys() - set(NEVER[kind].split())


@pytest.mark.parametrize("kind", FLOWS)
def test_a_step_that_nobody_takes_is_found(kind):
    steps = walked(kind)
    for one in steps:
        assert missing(kind, steps - {one}) == {one}


CONFIGURED = [
    pytest.param(journey, marks=pytest.mark.configured(**journey.settings), id=name)
    for name, journey in JOURNEYS.items()
]


@pytest.mark.one_database
@pytest.mark.parametrize("journey", CONFIGURED)
async def test_it_is_walked_in_both_faces(client, services, journey):
    await travelled(journey, World(services, client), lambda shown: None)


# The answers to the letter

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_ANY_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_IDS = ("user", "session", "other", "email", "address", "identity", "aaguid")
VOLATILE = {
    "csrf": "[0-9A-Za-z]{32}",
    "text": "[A-Z].+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "challenge": "[A-Za-z0-9_-]{43}",
    "bytes": "[A-Za-z0-9_-]+",
    "secret": "[A-Z2-7]{32}",
    "png": "data:image/png;base64,[A-Za-z0-9+/]+=*",
    "handle": "[A-Za-z0-9_-]{22}",
    "flow": _UUID,
    **dict.fromkeys(_IDS, _ANY_UUID),
}
"""What stands in a recording for a value that is new each time, and what it has to look like."""

NAMED = ("flow", "user", "session", "other", "email", "address", "identity", "challenge")
"""Those that are the same wherever they stand in one answer."""


def differences(recorded, answer, bound, where="$"):
    """What an answer has otherwise than the recording of it, exactly."""
    if isinstance(recorded, dict) and isinstance(answer, dict):
        if recorded.keys() != answer.keys():
            yield where, sorted(recorded.keys() ^ answer.keys())
        for name in recorded.keys() & answer.keys():
            yield from differences(recorded[name], answer[name], bound, f"{where}.{name}")
    elif isinstance(recorded, list) and isinstance(answer, list):
        if len(recorded) != len(answer):
            yield where, (len(recorded), len(answer))
        for place, (one, other) in enumerate(zip(recorded, answer, strict=False)):
            yield from differences(one, other, bound, f"{where}[{place}]")
    elif isinstance(recorded, str) and isinstance(answer, str):
        yield from differing_text(recorded, answer, bound, where)
    elif type(recorded) is not type(answer) or recorded != answer:
        yield where, (recorded, answer)


def differing_text(recorded, answer, bound, where):
    pattern = re.sub(
        "<([a-z]+)>", lambda found: f"(?P<{found[1]}>{VOLATILE[found[1]]})", re.escape(recorded)
    )
    found = re.fullmatch(pattern, answer)
    if found is None:
        yield where, (recorded, answer)
        return
    for name, value in found.groupdict().items():
        if name in NAMED and bound.setdefault(name, value) != value:
            yield where, (name, value)


def recording(kind, state):
    return json.loads((RECORDED / f"{kind}-{state}.json").read_text())


@pytest.mark.one_database
@pytest.mark.parametrize("journey", [one for one in CONFIGURED if one.values[0].recorded])
async def test_each_state_is_answered_to_the_letter(rest, services, journey):
    """§1.3, §1.4, and the tables of §2 and §3: the recordings were written from them."""
    answers = {}
    await travelled(
        journey, World(services, rest), lambda shown: answers.setdefault(shown.name, rest.body)
    )
    for state in journey.recorded:
        recorded = recording(journey.kind, state)
        assert list(differences(recorded, answers[state], {})) == [], state


async def test_a_profile_without_a_session_is_answered_to_the_letter(rest):
    await rest.start("profile")
    assert list(differences(recording("profile", "error"), rest.body, {})) == []


async def test_a_token_exchange_without_a_provider_is_answered_to_the_letter(rest):
    await rest.start("token_exchange")
    assert list(differences(recording("token_exchange", "forbidden"), rest.body, {})) == []


def test_there_is_a_recording_of_every_state():
    """And none of a state that no journey shows."""
    shown = {f"{one.kind}-{state}" for one in JOURNEYS.values() for state in one.recorded}
    reached = {f"{kind}-{state}" for kind in FLOWS for state in seen(kind)}
    assert shown == reached
    failures = {"profile-error", "token_exchange-forbidden"}
    assert {path.stem for path in RECORDED.glob("*.json")} == shown | failures


@pytest.mark.parametrize(
    ("recorded", "answer"),
    [
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": 1, "b": 1}, {"a": 1}),
        ([1], [1, 2]),
        (1, True),
        (None, {}),
        ("<csrf>", ""),
        ("/login?action=back%40<flow>", "/login?action=back%40nonsense"),
        ("a.c", "abc"),
        (["<challenge>", "<challenge>"], ["a" * 43, "b" * 43]),
    ],
)
def test_a_difference_is_found(recorded, answer):
    assert list(differences(recorded, answer, {}))
