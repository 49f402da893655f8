"""Field-level permissions, each of which shows as a directive in the printed schema.

A guard asks the actor and lets its refusal through; it runs before the field's value is read
(SEC-002) and holds on every path that leads to the field, since it hangs on the field itself.
"""

from typing import Any

import strawberry
from strawberry.extensions.field_extension import FieldExtension
from strawberry.permission import BasePermission, PermissionExtension
from strawberry.schema_directive import Location
from strawberry.types import Info
from strawberry.types.field import StrawberryField


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Answered for a secret key that has these scopes, and for nobody else.",
    print_definition=True,
)
class RequiresSecretKey:
    """Marks a field that a secret key opens."""

    scopes: list[str] = strawberry.directive_field(name="scopes")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Answered for the user whom it belongs to, and for a secret key that has these "
    "scopes.",
    print_definition=True,
)
class RequiresOwnerOrSecretKey:
    """Marks a field of a user that the user opens, or a secret key."""

    scopes: list[str] = strawberry.directive_field(name="scopes")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Answered for a signed-in user.",
    print_definition=True,
)
class RequiresSession:
    """Marks a field that a session opens."""


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Answered for a user who has signed in lately enough; otherwise `userErrors` hold "
    "a `StepUpRequired`.",
    print_definition=True,
)
class RequiresRecentSignIn:
    """Marks a field that an older session does not open."""


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="One operation may hold one such root field, and that once.",
    print_definition=True,
)
class Solo:
    """Marks a root field that stands alone."""


class _SecretKeyWith(BasePermission):
    """Asks for a secret key with scopes."""

    def __init__(self, *scopes: str) -> None:
        self._scopes = scopes

    def has_permission(self, source: Any, info: Info, **_: Any) -> bool:  # noqa: ANN401, ARG002  # strawberry's
        """Let the actor refuse."""
        info.context.actor.require_scopes(*self._scopes)
        return True

    @property
    def schema_directive(self) -> object:
        """The directive that tells of this guard."""
        return RequiresSecretKey(scopes=list(self._scopes))


class _OwnerOrSecretKeyWith(BasePermission):
    """Asks for the user whom the field belongs to, or for a secret key with scopes."""

    def __init__(self, *scopes: str) -> None:
        self._scopes = scopes

    def has_permission(self, source: Any, info: Info, **_: Any) -> bool:  # noqa: ANN401  # strawberry's
        """Let the actor refuse, where it is not the user's own session."""
        actor = info.context.actor
        if actor.session is None or actor.session.user_id != source.user_id:
            actor.require_scopes(*self._scopes)
        return True

    @property
    def schema_directive(self) -> object:
        """The directive that tells of this guard."""
        return RequiresOwnerOrSecretKey(scopes=list(self._scopes))


class _Session(BasePermission):
    """Asks for a session."""

    def has_permission(self, source: Any, info: Info, **_: Any) -> bool:  # noqa: ANN401, ARG002  # strawberry's
        """Let the actor refuse."""
        info.context.actor.require_user()
        return True

    @property
    def schema_directive(self) -> object:
        """The directive that tells of this guard."""
        return RequiresSession()


class _RecentSignIn(BasePermission):
    """Asks for a session that has begun lately (SEC-037)."""

    def has_permission(self, source: Any, info: Info, **_: Any) -> bool:  # noqa: ANN401, ARG002  # strawberry's
        """Let the service refuse."""
        require_recent(info.context)
        return True

    @property
    def schema_directive(self) -> object:
        """The directive that tells of this guard."""
        return RequiresRecentSignIn()


class _Guard(PermissionExtension):
    """A guard that is told in the field's description too, for those who read no directives."""

    def __init__(self, permission: BasePermission, told: str) -> None:
        super().__init__([permission])
        self._told = told

    def apply(self, field: StrawberryField) -> None:
        """Put the directive and the words on the field."""
        super().apply(field)
        field.description = f"{field.description} {self._told}"


def requires_secret_key(*scopes: str) -> FieldExtension:
    """Guard a field with a secret key that has all of *scopes*."""
    return _Guard(_SecretKeyWith(*scopes), f"Needs a secret key with {_named(scopes)}.")


def requires_owner_or_secret_key(*scopes: str) -> FieldExtension:
    """Guard a field of a user with their own session, or a secret key with all of *scopes*."""
    told = f"Needs the user's own session, or a secret key with {_named(scopes)}."
    return _Guard(_OwnerOrSecretKeyWith(*scopes), told)


def requires_session() -> FieldExtension:
    """Guard a field with a session."""
    return _Guard(_Session(), "Needs a session.")


def require_recent(context: Any) -> None:  # noqa: ANN401  # the request's
    """See that the session has begun lately, where only a part of a mutation asks for that.

    Raises:
        StepUpRequired: It has begun too long ago (SEC-037).
    """
    context.services.self_service.require_recent_sign_in(context.signed_in)


def requires_recent_sign_in() -> FieldExtension:
    """Guard a mutation, inside of its session guard and of what tells refusals."""
    return _Guard(_RecentSignIn(), "The session must have begun lately.")


def _named(scopes: tuple[str, ...]) -> str:
    return " and ".join(f"`{scope}`" for scope in scopes)
