"""Signing up and in, and the profile, as typed steps."""

from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import strawberry
from msgspec import UNSET

from app.errors import IdentityError, Unauthenticated
from app.flows.capabilities import RegisterClientCapabilities
from app.flows.definition import Kind
from app.flows.definitions import FLOWS
from app.flows.errors import (
    OperationNotPermitted,
    OtpCodeInvalid,
    OtpCodeUsed,
    PasscodeInvalid,
    PasscodeMaxAttempts,
    SessionRequired,
)
from app.flows.result import Offered, ShownInput, StepResult
from app.flows.state import description_of
from app.flows.states import PasscodeConfirmation
from app.graphql.context import Context, Info
from app.graphql.errors import ErrorCode, InvalidCode, UserError, user_error
from app.graphql.flow_types import (
    FlowAction,
    FlowStateType,
    chosen,
    key_of,
    shown_state,
)
from app.graphql.mutation import mutation
from app.graphql.scalars import JSON
from app.graphql.session_type import SessionType
from app.ids import parse_id


@strawberry.enum(description="What a flow is for.")
class FlowKind(Enum):
    """A kind of flow."""

    LOGIN = strawberry.enum_value("login", description="To sign in.")
    REGISTRATION = strawberry.enum_value("registration", description="To sign up.")
    PROFILE = strawberry.enum_value(
        "profile", description="To look after one's account; needs a session."
    )
    TOKEN_EXCHANGE = strawberry.enum_value(
        "token_exchange", description="To come back from a SAML provider."
    )


_KINDS: dict[FlowKind, Kind] = {FlowKind[kind.upper()]: kind for kind in FLOWS}


@strawberry.type(description="A value that an input may have.")
class FlowChoice:
    """A choice."""

    value: str = strawberry.field(description="What to send.")
    name: str = strawberry.field(description="What a person reads.")


@strawberry.type(description="An input of an action, as it stands now.")
class FlowInputInfo:
    """An input."""

    name: str = strawberry.field(description="Its name, as the flow API has it.")
    key: str = strawberry.field(description="Its name in the action's input.")
    type: str = strawberry.field(description="`string`, `boolean`, `email`, `password` or `json`.")
    required: bool | None = strawberry.field(description="Whether it must be given; null: unsaid.")
    hidden: bool | None = strawberry.field(description="Whether a person sees it; null: unsaid.")
    min_length: int | None = strawberry.field(description="Fewest characters.")
    max_length: int | None = strawberry.field(description="Most characters.")
    value: JSON | None = strawberry.field(description="What stands in it already.")
    allowed_values: list[FlowChoice] | None = strawberry.field(
        description="The values it may have; null: any."
    )

    @classmethod
    def of(cls, shown: ShownInput) -> "FlowInputInfo":
        """Show an input."""
        one = shown.input
        allowed = [FlowChoice(value=c.value, name=c.name) for c in one.allowed]
        return cls(
            name=one.name,
            key=key_of(one.name),
            type=one.kind,
            required=one.required,
            hidden=one.hidden,
            min_length=one.min_length,
            max_length=one.max_length,
            value=None if shown.value is UNSET else JSON(shown.value),
            allowed_values=allowed or None,
        )


@strawberry.type(
    description="What may be done now. Render unknown states from this list: it is the "
    "forward-compatibility rule."
)
class FlowActionInfo:
    """An offered action."""

    name: str = strawberry.field(description="Its name, as the flow API has it.")
    key: str = strawberry.field(description="Its key in `FlowAction`.")
    description: str = strawberry.field(description="What it does.")
    inputs: list[FlowInputInfo] = strawberry.field(description="What it takes.")

    @classmethod
    def of(cls, offered: Offered) -> "FlowActionInfo":
        """Show an action."""
        action = offered.action
        return cls(
            name=action.name,
            key=key_of(action.name),
            description=description_of(action),
            inputs=[FlowInputInfo.of(one) for one in offered.inputs],
        )


@strawberry.type(description="A flow: where it stands and what may be done.")
class Flow:
    """A flow."""

    id: strawberry.ID = strawberry.field(description="UUID.")
    kind: FlowKind = strawberry.field(description="What it is for.")
    csrf_token: str = strawberry.field(description="What the next action must bring.")
    expires_at: datetime = strawberry.field(description="When it is over.")
    state: FlowStateType = strawberry.field(description="Where it stands.")
    actions: list[FlowActionInfo] = strawberry.field(description="What may be done now.")


@strawberry.type(description="What came of a step.")
class FlowPayload:
    """A step."""

    flow: Flow | None = strawberry.field(
        description="The flow, with the token of the next step; null where no step was taken."
    )
    session: SessionType | None = strawberry.field(
        description="The session, where this step has signed the user in."
    )
    token: str | None = strawberry.field(
        description="Its token; null where the cookie alone may carry it."
    )
    user_errors: list[UserError] = strawberry.field(
        description="Why the action was refused; empty where it was not."
    )


@strawberry.input(description="What a flow begins with.")
class StartFlowInput:
    """Wishes."""

    language: str | None = strawberry.field(
        description="The language of mails, as a tag such as `pt-BR`.", default=strawberry.UNSET
    )


@strawberry.type
class FlowMutations:
    """Steps of flows."""

    @mutation("Begin to sign in or up, or open the profile.", solo=True)
    async def start_flow(
        self,
        info: Info,
        kind: Annotated[FlowKind, strawberry.argument(description="What it is for.")],
        input: Annotated[  # noqa: A002  # the schema's word
            StartFlowInput | None, strawberry.argument(description="What it begins with.")
        ] = None,
    ) -> FlowPayload:
        """Begin a flow."""
        context = info.context
        language = (input.language if input else None) or ""
        request = context.flow_request(language)
        try:
            result = await context.services.flows.start(_KINDS[kind], request)
        except SessionRequired as error:
            raise Unauthenticated from error
        return _payload(context, result)

    @mutation(
        "Take the next step of a flow. A first step other than `registerClientCapabilities` says "
        "that the client has none.",
        solo=True,
    )
    async def continue_flow(
        self,
        info: Info,
        flow_id: Annotated[strawberry.ID, strawberry.argument(description="The flow's UUID.")],
        csrf_token: Annotated[
            str, strawberry.argument(description="The token that came with the last step.")
        ],
        action: Annotated[FlowAction, strawberry.argument(description="What to do.")],
    ) -> FlowPayload:
        """Run an action."""
        context = info.context
        name, given = chosen(action)
        known = parse_id(flow_id)
        if known is None:
            raise OperationNotPermitted
        try:
            result = await _advanced(context, known, name, given, csrf_token)
        except SessionRequired as error:
            raise Unauthenticated from error
        return _payload(context, result, name)


async def _advanced(
    context: Context, flow_id: UUID, name: str, given: dict[str, Any], csrf_token: str
) -> StepResult:
    """Run an action; who is to say what their device can do and does not, has said: nothing.

    So `preflight` may be left out. Where the state is another one, nothing happens here that the
    action itself would not do.
    """

    async def run(action: str, inputs: dict[str, Any], csrf: str) -> StepResult:
        return await context.services.flows.advance(
            None, flow_id, action, csrf_token=csrf, given=inputs, request=context.flow_request()
        )

    try:
        return await run(name, given, csrf_token)
    except OperationNotPermitted:
        incapable = {"webauthn_available": False}
        begun = await run(RegisterClientCapabilities.name, incapable, csrf_token)
    try:
        return await run(name, given, begun.csrf_token)
    except OperationNotPermitted as error:
        return replace(begun, error=error)


def _payload(context: Context, result: StepResult, action: str = "") -> FlowPayload:
    token = context.hand_over(result)
    actor, issued = context.actor, result.issued
    flow = Flow(
        id=strawberry.ID(str(result.flow_id)),
        kind=FlowKind[result.kind.upper()],
        csrf_token=result.csrf_token,
        expires_at=result.expires_at,
        state=shown_state(result.state, actor),
        actions=[FlowActionInfo.of(one) for one in result.actions],
    )
    session = SessionType.of(issued.session, actor) if issued else None
    return FlowPayload(
        flow=flow, session=session, token=token, user_errors=_user_errors(result, action)
    )


def _user_errors(result: StepResult, action: str) -> list[UserError]:
    """Say what was refused: each input that was, or else the step."""
    if result.error is None:
        return []
    where = ("action", key_of(action))
    told = [
        _user_error(shown.problem.cause or shown.problem.error, (*where, key_of(shown.input.name)))
        for offered in result.actions
        for shown in offered.inputs
        if shown.problem is not None
    ]
    left = result.state.attempts_left if isinstance(result.state, PasscodeConfirmation) else None
    told = told or [_user_error(result.error, where)]
    return [_with_attempts(one, left) for one in told]


def _user_error(error: IdentityError, path: tuple[str, ...]) -> UserError:
    error.path = path
    return user_error(error, {"action"})


def _with_attempts(error: UserError, left: int | None) -> UserError:
    """Say of a code how often it may still be entered."""
    if error.code not in _OF_CODES:
        return error
    return InvalidCode(code=error.code, message=error.message, path=error.path, attempts_left=left)


_OF_CODES = tuple(
    ErrorCode[leaf.code.upper()]
    for leaf in (PasscodeInvalid, PasscodeMaxAttempts, OtpCodeInvalid, OtpCodeUsed)
)
