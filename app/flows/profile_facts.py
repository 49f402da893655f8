"""What the actions of a profile know of its user, and what they have in common (§2.3)."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from app.flows.errors import OperationNotPermitted, SessionRequired
from app.flows.inputs import Choice, Input
from app.flows.outcomes import Outcome, Refuse
from app.flows.person import Person, person_of
from app.flows.step import Action, Step
from app.paging import MAX_PAGE, PageRequest
from app.selfservice import StepUpRequired
from app.sessions import Session


@dataclass(frozen=True, slots=True)
class Facts:
    """The user as they are at this moment, and their live sessions, the newest first."""

    person: Person
    sessions: tuple[Session, ...]
    session_id: UUID

    @property
    def began_at(self) -> datetime | None:
        """When the session of this request has begun."""
        return next((one.created_at for one in self.sessions if one.id == self.session_id), None)

    @property
    def other_sessions(self) -> tuple[Session, ...]:
        """The sessions that this request does not bear."""
        return tuple(one for one in self.sessions if one.id != self.session_id)


async def remember_session(step: Step) -> None:
    """Remember whose profile it is, and which session has opened it.

    Raises:
        SessionRequired: The request bears no session.
    """
    session = step.actor.session
    if session is None:
        raise SessionRequired
    step.stash.session_id, step.stash.user_id = session.id, session.user_id


async def load_facts(step: Step) -> None:
    """Read the user for the actions of the step, while the session that began it lives (SEC-060).

    Raises:
        OperationNotPermitted: The request bears another session, or the user is gone.
    """
    session, stash = step.actor.session, step.stash
    if session is None or session.id != stash.session_id or stash.user_id is None:
        raise OperationNotPermitted
    person = await person_of(step.domains, stash.user_id)
    if person is None:
        raise OperationNotPermitted
    asked = PageRequest(size=MAX_PAGE)
    pages = await step.domains.sessions.pages_of([stash.user_id], asked)
    stash.locale = person.account.locale or ""
    step.facts = Facts(person, pages[stash.user_id].items, session.id)


async def show_profile(step: Step) -> None:
    """Show the user as they are now, and where they are signed in."""
    await load_facts(step)
    step.show(user=person_in(step))
    if step.config.session.show_on_profile:
        step.show(sessions=facts_of(step).sessions)


def facts_of(step: Step) -> Facts:
    """Give what a hook has read for this step."""
    facts: Facts = step.facts
    return facts


def person_in(step: Step) -> Person:
    """Give the user of the profile."""
    return facts_of(step).person


def id_input(name: str, *allowed: Choice) -> Input:
    """Describe an input that a page fills in."""
    return Input(name, required=True, hidden=True, allowed=allowed)


class ProfileAction(Action, frozen=True):
    """A change of one's own account; most need a recent sign-in where that is configured."""

    needs_recent: ClassVar[bool] = True
    """Whether the change decides who can get into the account (SEC-037)."""

    async def run(self, step: Step) -> Outcome:
        """Do it, unless the sign-in is too long ago."""
        if self.needs_recent:
            max_age = step.config.session.step_up.max_age
            try:
                step.domains.self_service.require_recent(facts_of(step).began_at, max_age)
            except StepUpRequired as refused:
                return Refuse(OperationNotPermitted(refused.message))
        return await self.change(step)

    async def change(self, step: Step) -> Outcome:
        """Do it."""
        raise NotImplementedError
