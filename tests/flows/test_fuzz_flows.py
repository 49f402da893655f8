"""Whatever is sent, a flow answers in its own shape, and nobody is signed in by it."""

import json
import string
from urllib.parse import quote

import pytest
from flows.people import ADA, at_code, at_password, identified, person
from flows.walking import preflight
from hypothesis import given, settings
from hypothesis import strategies as st

from app.flows.definitions import FLOWS
from app.graphql.flow_types import described, every_action

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.sampled_from([ADA, "\x00", "null", "{}", '{"type": "public-key"}', "000000"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
INPUTS = sorted({one.name for action in every_action().values() for one in described(action)})
GIVEN = st.dictionaries(st.sampled_from(INPUTS) | TEXT, VALUE, max_size=6)
BODY = VALUE | st.fixed_dictionaries(
    {}, optional={"input_data": VALUE | GIVEN, "csrf_token": VALUE, "other": VALUE}
)
MEMBERS = {"name", "status", "csrf_token", "actions", "links"}


def has_its_shape(answer):
    step = answer.json()
    assert step.keys() >= MEMBERS
    assert answer.status_code == step["status"]
    assert isinstance(step["actions"], dict)
    assert step["links"] is None
    assert ("error" in step) == (step["status"] != 200)
    assert "hanko=" not in answer.headers.get("set-cookie", "").replace("hanko=;", "")
    return step


@pytest.mark.one_database
@given(
    st.sampled_from(sorted(FLOWS)),
    st.text(string.printable, max_size=60) | st.just(""),
    BODY | st.binary(max_size=60),
)
@settings(max_examples=150)
async def test_any_request_is_answered_as_a_step(pair, kind, action, body):
    face = pair[1]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/{kind}?action={quote(action)}"
    has_its_shape(await face.post(path, content=content))


HOSTILE = [
    ...,
    None,
    "",
    "x" * 5000,
    ["x"],
    {"a": {"b": 1}},
    -1,
    True,
    "\u202e",
    "ada@example.com\r\nBcc: eve@example.com",
    '{"response": {}}',
]


@pytest.mark.one_database
@pytest.mark.parametrize("reach", [preflight, identified, at_password, at_code])
@pytest.mark.parametrize("action", sorted(every_action()))
async def test_any_action_with_hostile_inputs_signs_nobody_in(rest, services, reach, action):
    """SEC-060, SEC-063: the flow goes on where it is, or refuses."""
    await person(services)
    await reach(rest)
    names = [one.name for one in described(every_action()[action])] or ["x"]
    for value in HOSTILE:
        given_ = {} if value is ... else dict.fromkeys(names, value)
        path = f"/{rest.kind}?action={action}%40{rest.flow_id}"
        body = {"input_data": given_, "csrf_token": rest.csrf}
        answer = await rest.face.post(path, body)
        step = has_its_shape(answer)
        assert step["name"] != "success"
        assert step["status"] != 500
        rest._shown(answer)
