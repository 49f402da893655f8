"""What the steps of flows look like in JSON: one way for every state and action (§1.3, §1.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from app.access import Actor
from app.config.sections import Mfa
from app.errors import IdentityError
from app.flows.errors import status_of
from app.flows.inputs import Problem
from app.flows.person import Person
from app.flows.result import Offered, ShownInput, StepResult
from app.flows.state import State, description_of
from app.flows.states import ONLY_TYPED, LastLogin
from app.rest.shapes import Factors, profile, shown_claims
from app.rest.user_agents import readable
from app.sessions import Session

Json = Any


class SessionEntry(Struct, frozen=True, omit_defaults=True):
    """A session in a profile (§4.3)."""

    id: str
    current: bool
    created_at: datetime
    last_used: datetime
    expires_at: datetime | None = None
    user_agent_raw: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None


@dataclass(frozen=True, slots=True)
class Viewer:
    """What decides how a step is shown."""

    actor: Actor
    mfa: Mfa
    shows_passkeys: bool


def shown_step(result: StepResult, viewer: Viewer) -> dict[str, Json]:
    """Write a step."""
    step: dict[str, Json] = {
        "name": result.state.name,
        "status": result.status,
        "payload": _payload(result.state, viewer),
        "csrf_token": result.csrf_token,
        "actions": {one.action.name: _action(one, result) for one in result.actions},
        "links": None,
    }
    return step if result.error is None else {**step, "error": _error(result.error)}


def shown_failure(error: IdentityError) -> dict[str, Json]:
    """Write an early failure: the flow is as it was."""
    return {
        "name": "error",
        "status": status_of(error),
        "csrf_token": "",
        "actions": {},
        "error": _error(error),
        "links": None,
    }


def _error(error: IdentityError) -> dict[str, Json]:
    return {"code": error.code, "message": error.message}


def _action(offered: Offered, result: StepResult) -> dict[str, Json]:
    name = offered.action.name
    return {
        "href": f"/{result.kind}?action={name}%40{result.flow_id}",
        "inputs": {shown.input.name: _input(shown) for shown in offered.inputs},
        "action": name,
        "description": description_of(offered.action),
    }


def _input(shown: ShownInput) -> dict[str, Json]:
    one = shown.input
    members = {
        "min_length": one.min_length,
        "max_length": one.max_length,
        "required": one.required,
        "hidden": one.hidden,
        "error": _problem(shown.problem) if shown.problem else None,
        "allowed_values": [{"value": c.value, "name": c.name} for c in one.allowed] or None,
    }
    value = {} if shown.value is UNSET else {"value": shown.value}
    given = {name: member for name, member in members.items() if member is not None}
    return {"name": one.name, "type": one.kind, **value, **given}


def _problem(problem: Problem) -> dict[str, Json]:
    told = _error(problem.error)
    return told if problem.cause is None else {**told, "cause": problem.cause.code}


def _payload(state: State, viewer: Viewer) -> dict[str, Json]:
    """Write what a state shows; None is left out."""
    hidden = _only_typed(type(state))
    members = {
        name: _shown(name, getattr(state, name), viewer)
        for name in state.__struct_fields__
        if name not in hidden
    }
    return {name: value for name, value in members.items() if value is not None}


@cache
def _only_typed(state: type[State]) -> frozenset[str]:
    fields: Mapping[str, Json] = {f.name: f.type for f in msgspec.inspect.type_info(state).fields}  # type: ignore[attr-defined]  # a struct's
    return frozenset(
        name
        for name, kind in fields.items()
        if isinstance(kind, msgspec.inspect.Metadata) and (kind.extra or {}).get(ONLY_TYPED)
    )


def _shown(name: str, value: Json, viewer: Viewer) -> Json:
    match value:
        case Person():
            return shown_person(value, viewer)
        case LastLogin():
            return {k: v for k, v in msgspec.structs.asdict(value).items() if v is not None}
        case tuple():
            return [_session(one, viewer) for one in value]
        case dict() if name == "claims":
            return shown_claims(value)
        case _:
            return value


def shown_person(person: Person, viewer: Viewer) -> dict[str, Json]:
    """Write the user (§4.2)."""
    factors = Factors(person.passkeys, person.has_totp, viewer.mfa, viewer.shows_passkeys)
    shown = profile(person.account, person.emails, person.bags, factors, person.identities)
    builtins: dict[str, Json] = msgspec.to_builtins(shown, builtin_types=(datetime, msgspec.Raw))
    return builtins


def _session(session: Session, viewer: Viewer) -> SessionEntry:
    current = viewer.actor.session
    return SessionEntry(
        id=str(session.id),
        current=current is not None and current.id == session.id,
        created_at=session.created_at,
        last_used=session.last_used_at,
        expires_at=session.expires_at,
        user_agent_raw=session.user_agent,
        user_agent=readable(session.user_agent),
        ip_address=session.ip_address,
    )
