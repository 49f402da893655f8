"""The user name, metadata, sessions and the account itself in the profile (§2.3)."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta

from app import strictjson
from app.flows.errors import (
    FormDataInvalid,
    InvalidMetadata,
    TechnicalError,
)
from app.flows.inputs import Choice, Input, Problem
from app.flows.outcomes import Move, Outcome, Refuse, Stay
from app.flows.profile_facts import ProfileAction, facts_of, id_input, person_in
from app.flows.registration import username_input, username_problems
from app.flows.states import AccountDeleted
from app.flows.step import Step
from app.flows.whose import oneself
from app.ids import parse_id
from app.metadata import BagChanges, MetadataRefused
from app.persistence import savepoint
from app.selfservice.holdings import may_delete_username
from app.text import username_key

Json = Any
_CLEARED = "null"


class ProfileUsernameCreate(ProfileAction, frozen=True):
    """Choose a user name."""

    name: ClassVar[str] = "username_create"
    username: Annotated[str, Meta(description="The user name.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask for the name."""
        return (username_input(step, required=True, preserved=True),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it to who has none."""
        return step.config.username.enabled and person_in(step).account.username is None

    async def change(self, step: Step) -> Outcome:
        """Be called so; one's own name in another spelling is one's own (Q-25)."""
        problems = dict(await username_problems(step, self.username))
        mine = person_in(step).account.username
        is_mine = mine is not None and username_key(mine) == username_key(self.username)
        if problems and not is_mine:
            return Refuse(FormDataInvalid(), problems)
        if mine != self.username:
            await step.domains.self_service.set_username(oneself(step), self.username)
        return Stay()


class ProfileUsernameUpdate(ProfileUsernameCreate, frozen=True):
    """Choose another user name."""

    name: ClassVar[str] = "username_update"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it to who has one."""
        return step.config.username.enabled and person_in(step).account.username is not None


class ProfileUsernameDelete(ProfileAction, frozen=True):
    """Go without a user name."""

    name: ClassVar[str] = "username_delete"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where another way to sign in is left."""
        return may_delete_username(step.config, person_in(step).held)

    async def change(self, step: Step) -> Outcome:
        """Remove it."""
        await step.domains.self_service.delete_username(oneself(step))
        return Stay()


class PatchMetadata(ProfileAction, frozen=True):
    """Change the unsafe metadata by a merge patch (RFC 7396)."""

    name: ClassVar[str] = "patch_metadata"
    needs_recent: ClassVar[bool] = False
    patch_metadata: Annotated[
        Json, Meta(description="An object or the text of one; null, or its text, clears the bag.")
    ] = UNSET

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:  # noqa: ARG003  # always the same
        """Ask for the patch."""
        return (Input("patch_metadata", "json", required=True, hidden=False),)

    async def change(self, step: Step) -> Outcome:
        """Merge it (§7.6)."""
        patch = _patch_of(self.patch_metadata)
        if patch is not None and not isinstance(patch, dict):
            return _refused()
        try:
            async with savepoint():
                await step.domains.metadata.change(
                    step.actor, person_in(step).account.id, BagChanges(unsafe=patch)
                )
        except MetadataRefused as refused:
            return _refused(refused)
        return Stay()


def _patch_of(given: Json) -> Json:
    """Read a patch; None clears the bag, and what is no object is no patch (Q-32).

    Raises:
        TechnicalError: A text looks like an object and is none.
    """
    if not isinstance(given, str) or not (given.startswith("{") and given.endswith("}")):
        return None if given == _CLEARED else given
    try:
        return strictjson.parse(given.encode())
    except (strictjson.NotJson, UnicodeEncodeError):
        raise TechnicalError from None


def _refused(cause: MetadataRefused | None = None) -> Outcome:
    return Refuse(FormDataInvalid(), {"patch_metadata": Problem(InvalidMetadata(), cause)})


class SessionDelete(ProfileAction, frozen=True):
    """End another of one's sessions."""

    name: ClassVar[str] = "session_delete"
    needs_recent: ClassVar[bool] = False
    session_id: Annotated[str, Meta(description="The session's UUID.")] = ""

    @classmethod
    def inputs(cls, step: Step) -> Sequence[Input]:
        """Ask which, of the others."""
        ids = [str(one.id) for one in facts_of(step).other_sessions]
        return (id_input("session_id", *(Choice(one, one) for one in ids)),)

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where there are others, and users may."""
        return step.config.session.allow_revocation and bool(facts_of(step).other_sessions)

    async def change(self, step: Step) -> Outcome:
        """End it (SEC-025)."""
        session_id = parse_id(self.session_id)
        if session_id is None:
            raise TechnicalError
        user_id = person_in(step).account.id
        await step.domains.sessions.end(step.actor, user_id, session_id, "session_revoked")
        return Stay()


class AccountDelete(ProfileAction, frozen=True):
    """Delete the account with everything in it."""

    name: ClassVar[str] = "account_delete"

    @classmethod
    def offered(cls, step: Step) -> bool:
        """Offer it where users may."""
        return step.config.account.allow_deletion

    async def change(self, step: Step) -> Outcome:
        """Delete it; all sessions end with it (SEC-027)."""
        await step.domains.self_service.delete_account(oneself(step))
        step.forgets_session = True
        return Move(AccountDeleted, no_back=True)
