"""Walks a flow on either face, and says the same of both."""

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from faces.clients import Face

from app.assembly import Services
from app.flows import errors as flow_errors
from app.flows.person import Person
from app.flows.states import LastLogin
from app.graphql.flow_types import described, every_state, key_of, pascal
from app.sessions import Session

_SNAKE = {key_of(one.name): one.name for state in every_state() for one in described(state)}
_CODES = {leaf.code: leaf for leaf in flow_errors.told()}
_AT_THE_TOP = {"unauthenticated": 401, "forbidden": 403, "unavailable": 503}
_CODE = re.compile(r"\b(\d{6})\b")


@dataclass(frozen=True)
class Shown:
    """A step, whichever face has shown it."""

    name: str
    status: int
    payload: dict[str, Any]
    actions: dict[str, dict[str, dict[str, Any]]]
    error: str | None = None
    problems: dict[str, str] = field(default_factory=dict)
    """The codes of the inputs that were refused, by input."""

    token: str | None = None
    """The session's token, where the step has signed in."""

    cookies: tuple[str, ...] = ()
    retry_after: str | None = None


class Client(Protocol):
    """A person with one browser, going through one flow after the other."""

    flow_id: str
    csrf: str

    async def start(self, kind: str) -> Shown: ...

    async def act(self, action: str, **inputs: Any) -> Shown: ...


class _Browser:
    def __init__(self, face: Face) -> None:
        self.face = face
        self.flow_id = self.csrf = self.kind = ""
        self.cookies: dict[str, str] = {}
        self.headers: dict[str, str] = {}

    def sent(self) -> list[tuple[str, str]]:
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [*self.headers.items(), *([("cookie", jar)] if jar else [])]

    def kept(self, answer: Any) -> tuple[str | None, tuple[str, ...]]:
        """Keep the cookies of an answer; give the session's token, and the cookies as written."""
        lines = tuple(answer.headers.get_list("set-cookie"))
        for line in lines:
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        names = {line.partition("=")[0] for line in lines}
        return self.cookies["hanko"] if "hanko" in names else None, lines


class RestClient(_Browser):
    """Speaks the reference's JSON."""

    body: dict[str, Any]
    """The last answer, to the letter."""

    async def start(self, kind: str) -> Shown:
        self.kind = kind
        return self._shown(await self.face.post(f"/{kind}", headers=self.sent()))

    async def act(
        self, action: str, *, flow_id: str | None = None, csrf: str | None = None, **inputs: Any
    ) -> Shown:
        body = {"input_data": inputs, "csrf_token": self.csrf if csrf is None else csrf}
        path = f"/{self.kind}?action={action}%40{flow_id or self.flow_id}"
        return self._shown(await self.face.post(path, body, headers=self.sent()))

    def _shown(self, answer: Any) -> Shown:
        step = self.body = answer.json()
        assert answer.status_code == step["status"]
        if step["csrf_token"]:
            self.csrf = step["csrf_token"]
        for action in step["actions"].values():
            self.flow_id = action["href"].rpartition("%40")[2]
        token, cookies = self.kept(answer)
        problems = {
            name: one["error"]["code"]
            for action in step["actions"].values()
            for name, one in action["inputs"].items()
            if "error" in one
        }
        return Shown(
            name=step["name"],
            status=step["status"],
            payload=step.get("payload", {}),
            actions={name: one["inputs"] for name, one in step["actions"].items()},
            error=step.get("error", {}).get("code"),
            problems=problems,
            token=token,
            cookies=cookies,
            retry_after=answer.headers.get("retry-after"),
        )


_PARTS = {
    Person: "{ id userId: id emails { address isVerified isPrimary } username }",
    LastLogin: "{ loginMethod mfaMethod }",
    Session: "{ id isCurrent }",
}


def _selection(name: str, kind: Any) -> str:
    for part, selected in _PARTS.items():
        if part.__name__ in str(kind):
            return f"{key_of(name)} {selected}"
    return f"{key_of(name)} {{ id name }}" if "Choice" in str(kind) else key_of(name)


def _fragments() -> str:
    lines = []
    for state in every_state():
        fields = " ".join(_selection(one.name, one.kind) for one in described(state))
        if fields:
            lines.append(f"... on {pascal(state.name)} {{ {fields} }}")
    return "\n".join(lines)


STEP = f"""
flow {{ id kind csrfToken expiresAt
  state {{ name {_fragments()} }}
  actions {{ name key description inputs {{
    name key type required hidden minLength maxLength value allowedValues {{ value name }} }} }} }}
session {{ id }} token
userErrors {{ __typename code message path
  ... on RateLimited {{ retryAfter }} ... on InvalidCode {{ attemptsLeft }}
  ... on PasswordRejected {{ minLength breached }} }}
"""
START = f"mutation ($kind: FlowKind!) {{ step: startFlow(kind: $kind) {{ {STEP} }} }}"
CONTINUE = f"""
mutation ($flow: ID!, $csrf: String!, $action: FlowAction!) {{
  step: continueFlow(flowId: $flow, csrfToken: $csrf, action: $action) {{ {STEP} }} }}
"""
_MEMBERS = {"minLength": "min_length", "maxLength": "max_length", "allowedValues": "allowed_values"}


class GraphQLClient(_Browser):
    """Speaks the typed face."""

    async def start(self, kind: str) -> Shown:
        self.kind = kind
        return await self._ask(START, {"kind": kind.upper()})

    async def act(
        self, action: str, *, flow_id: str | None = None, csrf: str | None = None, **inputs: Any
    ) -> Shown:
        values = {key_of(name): value for name, value in inputs.items()}
        variables = {
            "flow": flow_id or self.flow_id,
            "csrf": self.csrf if csrf is None else csrf,
            "action": {key_of(action): values if _takes_inputs(action) else "CONFIRM"},
        }
        return await self._ask(CONTINUE, variables)

    async def _ask(self, document: str, variables: dict[str, Any]) -> Shown:
        answer = await self.face.ask(document, variables, headers=self.sent())
        body = answer.json()
        token, cookies = self.kept(answer)
        if "errors" in body:
            return _failed(body["errors"][0]["extensions"]["code"].lower())
        step = body["data"]["step"]
        problems = {
            _snake(error["path"][2]): error["code"].lower()
            for error in step["userErrors"]
            if len(error["path"]) > 2
        }
        codes = [e["code"].lower() for e in step["userErrors"]]
        retry = [str(e["retryAfter"]) for e in step["userErrors"] if "retryAfter" in e]
        if step["flow"] is None:
            return replace(_failed(codes[0]), retry_after=next(iter(retry), None))
        flow = step["flow"]
        self.flow_id, self.csrf = flow["id"], flow["csrfToken"]
        error = "form_data_invalid_error" if problems else next(iter(codes), None)
        return Shown(
            name=flow["state"]["name"],
            status=_status(error),
            payload=_payload(flow["state"]),
            actions={one["name"]: _inputs(one["inputs"]) for one in flow["actions"]},
            error=error,
            problems=problems,
            token=token,
            cookies=cookies,
            retry_after=next(iter(retry), None),
        )


def _takes_inputs(action: str) -> bool:
    from app.graphql.flow_types import every_action  # noqa: PLC0415  # tests may add actions

    found = every_action().get(action)
    return found is not None and bool(described(found))


def _snake(key: str) -> str:
    """The name of an input as the other face has it."""
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key)


def _failed(code: str) -> Shown:
    return Shown("error", _status(code), {}, {}, error=code)


def _status(code: str | None) -> int:
    if code is None:
        return 200
    if code in _AT_THE_TOP:
        return _AT_THE_TOP[code]
    leaf = _CODES[code]
    return 400 if issubclass(leaf, flow_errors.InputError) else _of_leaf(leaf)


def _of_leaf(leaf: type) -> int:
    return flow_errors.status_of(leaf.__new__(leaf))


def _payload(state: dict[str, Any]) -> dict[str, Any]:
    return {
        _SNAKE[name]: value
        for name, value in state.items()
        if name != "name" and value not in (None, [])
    }


def _inputs(inputs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    shown = {}
    for one in inputs:
        members = {_MEMBERS.get(k, k): v for k, v in one.items() if v is not None and k != "key"}
        shown[one["name"]] = members
    return shown


async def preflight(client: Client, kind: str = "login", *, webauthn: bool = False) -> Shown:
    """The first page of a flow, as a device with or without WebAuthn sees it."""
    await client.start(kind)
    return await client.act(
        "register_client_capabilities",
        webauthn_available=webauthn,
        webauthn_conditional_mediation_available=webauthn,
        webauthn_platform_authenticator_available=webauthn,
    )


async def deliver(services: Services) -> list[Any]:
    """Deliver all mail that waits and list the mailbox, newest first."""
    while await services.mail.deliver_next():
        ...
    return await services.mail.mailbox.newest()


async def mailed_code(services: Services, address: str) -> str:
    """The code of the newest mail to an address."""
    mails = [mail for mail in await deliver(services) if mail.to == address]
    found = _CODE.search(mails[0].text)
    assert found, mails[0].text
    return found[1]


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
