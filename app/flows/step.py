"""Actions, and the step in which one runs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from app.access import Actor
from app.config.sections import Config
from app.errors import IdentityError
from app.federation.browsers import BrowserSecrets
from app.flows.domains import Domains
from app.flows.inputs import Input
from app.flows.outcomes import Back, Outcome
from app.flows.stash import Stash
from app.flows.state import State
from app.sessions import Issued
from app.telemetry import NoFailure

T = TypeVar("T")


class Action(Struct, frozen=True):
    """What can be done in a state. Its fields are its inputs; its docstring is its description.

    Every field has a default, which stands where the input is not shown at the moment.
    """

    name: ClassVar[str]
    validates: ClassVar[bool] = True
    """Whether inputs that break their own description are refused before the action runs."""

    @classmethod
    def inputs(cls, step: "Step") -> Sequence[Input]:  # noqa: ARG003  # for those that have some
        """Give the inputs as they stand now."""
        return ()

    @classmethod
    def offered(cls, step: "Step") -> bool:  # noqa: ARG003  # for those that are not always
        """Say whether the action can be done now; one that is not offered is not accepted."""
        return True

    async def run(self, step: "Step") -> Outcome:
        """Do it, inside the step's transaction."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class FlowRequest:
    """What a request brings to a flow beside the action.

    Attributes:
        actor: Who asks; its session is the one that a new one replaces (SEC-026).
        language: The language of mails that the body names, if it does.
        device_trust: The value of the device trust cookie, empty without one.
        browser_secrets: The secrets of the sign-ins at providers that the browser has under way.
    """

    actor: Actor
    language: str = ""
    device_trust: str = ""
    browser_secrets: BrowserSecrets = field(default_factory=BrowserSecrets, repr=False)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set, beside those of the session; its attributes are the face's to write."""

    name: str
    value: str = field(repr=False)
    max_age: int


class NeededOutside(NoFailure):  # no error: the engine does the work and runs the step again
    """The step needs something that takes its time before it can go on."""

    def __init__(self, key: str, work: Callable[[], Awaitable[Any]]) -> None:
        super().__init__(key)
        self.key = key
        self.work = work


class FlowEnds(NoFailure):  # no error: the engine shows the flow's last state
    """A hook has found that there is no way on; what it has undone leaves the transaction whole."""

    def __init__(self, error: IdentityError) -> None:
        super().__init__(error.code)
        self.error = error


@dataclass(slots=True)
class Step:
    """One step of one flow: what it may use, and what it makes.

    A step may run more than once, see `outside`; so it keeps nothing but in the database, in the
    stash, and in the fields of this object.
    """

    domains: Domains
    flow_id: UUID
    kind: str
    request: FlowRequest
    now: datetime
    stash: Stash
    state: State
    previous: type[State] | None = None
    can_go_back: bool = False
    visited: frozenset[str] = frozenset()
    stored: tuple[type[State], ...] = ()
    answers: dict[str, Any] = field(default_factory=dict)
    scheduled: list[type[State]] = field(default_factory=list)
    error: IdentityError | None = None
    issued: Issued | None = None
    cookies: list[Cookie] = field(default_factory=list)
    forgets_session: bool = False
    facts: Any = None
    """What a hook has read for the actions of the state, such as the user of a profile."""

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.domains.config

    @property
    def actor(self) -> Actor:
        """On whose behalf records are written; they name the flow.

        Where the request tells nothing of the browser's languages, the first one's stand for mails.
        """
        actor = self.request.actor
        wish = actor.origin.browser_language or self.stash.browser_language
        origin = replace(actor.origin, browser_language=wish)
        return replace(actor, origin=origin, flow_id=self.flow_id)

    @property
    def language(self) -> str:
        """The language of mails, as far as this request or the first one names it."""
        request = self.request
        return request.language or request.actor.origin.language or self.stash.language

    async def outside(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """Have something done outside the transaction, where it may take its time.

        Hashing and whatever goes over a network belong here. The first call rolls the transaction
        back; the engine does the work and runs the step again, and then this gives the answer.
        What was read before the call is read again, so nothing is decided on an old state.

        Args:
            key: Names the work within the step.
            work: Does it; it opens no transaction that this step's own would have to join.
        """
        if key not in self.answers:
            raise NeededOutside(key, work)
        answer: T = self.answers[key]
        return answer

    def once(self, key: str, make: Callable[[], T]) -> T:
        """Make something that is new each time once, however often the step runs.

        What is done outside may rest on it, such as the id in a token that is signed there.
        """
        made: T = self.answers.setdefault(key, make())
        return made

    def show(self, **payload: Any) -> None:  # noqa: ANN401  # fields of the state
        """Let the state's payload have these members."""
        self.state = msgspec.structs.replace(self.state, **payload)

    def schedule(self, *states: type[State]) -> None:
        """Let these states come before whatever is scheduled already."""
        self.scheduled.extend(states)

    def fail(self, error: IdentityError) -> None:
        """Tell a refusal with the state that is shown."""
        self.error = error

    def set_cookie(self, cookie: Cookie) -> None:
        """Let the answer set a cookie."""
        self.cookies.append(cookie)

    def is_scheduled(self, state: type[State]) -> bool:
        """Say whether a state is among those stored for later."""
        return state in self.stored

    def has_visited(self, state: type[State]) -> bool:
        """Say whether the flow has been in a state, going back taken into account."""
        return state.name in self.visited

    def came_from(self, *states: type[State]) -> bool:
        """Say whether the state before this one, errors aside, was one of these (Q-03)."""
        return self.previous in states


class GoBack(Action, frozen=True):
    """Go back to the step before."""

    name: ClassVar[str] = "back"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there is a way back."""
        return step.can_go_back

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # the engine has it all
        """Go back."""
        return Back()


Hook = Callable[[Step], Awaitable[None]]
