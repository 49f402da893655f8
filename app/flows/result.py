"""What a step hands to a face, which makes an answer of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType

from app.errors import IdentityError
from app.flows.definition import Kind
from app.flows.errors import status_of
from app.flows.inputs import Input, Problem
from app.flows.state import State
from app.flows.step import Action, Cookie
from app.sessions import Issued


@dataclass(frozen=True, slots=True)
class ShownInput:
    """An input of an offered action, with what was sent and what is wrong with that."""

    input: Input
    value: Any | UnsetType = UNSET
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """An action that can be done now."""

    action: type[Action]
    inputs: tuple[ShownInput, ...]


@dataclass(frozen=True, slots=True)
class StepResult:
    """Where a flow stands, and what came of the step.

    Attributes:
        error: Why the action was refused, or what is told with the state; None where all is well.
        csrf_token: What the next action must bring.
        issued: The session that was begun; its tokens are to be handed over.
        cookies: Cookies to set beside.
        forgets_session: Whether the session's cookie is to be deleted.
    """

    flow_id: UUID
    kind: Kind
    state: State
    actions: tuple[Offered, ...]
    csrf_token: str
    expires_at: datetime
    error: IdentityError | None = None
    issued: Issued | None = None
    cookies: tuple[Cookie, ...] = ()
    forgets_session: bool = False

    @property
    def status(self) -> int:
        """The status of the step: 200, or that of its refusal."""
        return 200 if self.error is None else status_of(self.error)
