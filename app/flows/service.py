"""Flows: begun, and advanced one action at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from app.errors import Forbidden, Unavailable
from app.flows import engine
from app.flows.definition import Flow, Kind
from app.flows.definitions import FLOWS
from app.flows.domains import Domains
from app.flows.engine import Turn
from app.flows.errors import (
    FlowError,
    FlowExpired,
    OperationNotPermitted,
    RateLimitExceeded,
    TechnicalError,
)
from app.flows.inputs import Given
from app.flows.result import StepResult
from app.flows.stash import Stash
from app.flows.step import FlowRequest, NeededOutside, Step
from app.flows.store import Content, FlowStore, Kept, new_csrf_token
from app.persistence import transaction

_MOST_OUTSIDE = 8
_log = logging.getLogger("sekisho.flows")
Answers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flows:
    """Signs people up and in, step by step.

    Every refusal that a step answers with is in its result. What is raised is an early failure: the
    flow is as it was, and the CSRF token the client has is still good.
    """

    domains: Domains
    store: FlowStore

    def admit(self, kind: Kind, request: FlowRequest) -> None:
        """Judge whether a request may use this kind of flow at all, before anything else of it.

        Raises:
            SessionRequired: The flow is for signed-in users.
            Forbidden: The flow is switched off.
        """
        for guard in FLOWS[kind].guards:
            guard(self.domains, request)

    async def start(self, kind: Kind, request: FlowRequest) -> StepResult:
        """Begin a flow.

        Raises:
            SessionRequired: The flow is for signed-in users.
            Forbidden: The flow is switched off.
            RateLimitExceeded: The client's network has begun too many; this one has no row.
            TechnicalError: Something failed.
            Unavailable: Something does not answer.
        """
        flow = FLOWS[kind]
        with _told(request):
            self.admit(kind, request)
            await self._count(request)
            return await _patiently(lambda answers: self._begin(flow, request, answers), {})

    async def advance(  # noqa: PLR0913  # the parts of a step
        self,
        kind: Kind | None,
        flow_id: UUID,
        action: str,
        *,
        csrf_token: str,
        given: Given,
        request: FlowRequest,
    ) -> StepResult:
        """Run one action of a flow.

        Args:
            kind: Which flow the client takes it for (Q-06); None where it does not say.
            flow_id: The flow.
            action: The action's name.
            csrf_token: The token that came with the last step.
            given: Values for the action's inputs, by name.
            request: What the request brings beside.

        Raises:
            SessionRequired: The flow is for signed-in users.
            Forbidden: The flow is switched off.
            OperationNotPermitted: There is no such flow, the token is not its last, or the action
                is not offered (SEC-060, SEC-061).
            FlowExpired: It is too old.
            TechnicalError: Another action runs at the moment, or something failed.
            Unavailable: Something does not answer.
        """
        with _told(request):
            if kind is not None:
                self.admit(kind, request)
            kept = self._accepted(kind, await self.store.find(flow_id), csrf_token)
            flow = FLOWS[cast("Kind", kept.kind)]
            self.admit(flow.kind, request)
            step = self._step(flow, kept, self.store.open(kept), request, {})
            await engine.check(flow, step, action)

            async def run(answers: Answers, lease: UUID | None = None) -> StepResult:
                return await self._run(flow, kept, lease, action, given, request, answers)

            answers: Answers = {}
            try:
                return await run(answers)
            except NeededOutside as needed:
                async with self._leased(kept) as lease:
                    return await _patiently(lambda known: run(known, lease), answers, needed)

    async def sweep(self) -> None:
        """Delete the flows that have expired."""
        await self.store.sweep(self.domains.clock())

    async def _count(self, request: FlowRequest) -> None:
        """Count a flow that is about to begin, since each is a row that anybody may make (SEC-126).

        Raises:
            RateLimitExceeded: There were too many from the client's network.
        """
        actor = request.actor
        limited = await self.domains.rate_limits.take(
            "flow", address=actor.origin.address, actor=actor
        )
        if limited is not None:
            raise RateLimitExceeded(limited.retry_after)

    def _accepted(self, kind: Kind | None, kept: Kept | None, csrf_token: str) -> Kept:
        """Judge what can be judged of a flow before its action is looked at, in §1.6's order."""
        now = self.domains.clock()
        if kept is not None and kept.is_leased(now):
            raise _busy()
        if kept is None or kind not in (None, kept.kind) or kept.kind not in FLOWS:
            raise OperationNotPermitted
        if kept.expires_at <= now:
            raise FlowExpired
        if not kept.accepts(csrf_token):
            raise OperationNotPermitted
        if kept.state not in FLOWS[cast("Kind", kept.kind)].by_name:
            raise TechnicalError
        return kept

    @asynccontextmanager
    async def _leased(self, kept: Kept) -> AsyncIterator[UUID]:
        """Have the flow for this run alone; saving it ends the lease, and so does failing."""
        lease = await self.store.lease(kept, self.domains.clock())
        if lease is None:
            raise _busy()
        try:
            yield lease
        except BaseException:
            await asyncio.shield(self.store.release(kept, lease))
            raise

    async def _begin(self, flow: Flow, request: FlowRequest, answers: Answers) -> StepResult:
        flow_id, csrf_token, now = uuid4(), new_csrf_token(), self.domains.clock()
        step = Step(
            self.domains,
            flow_id,
            flow.kind,
            request,
            now,
            Stash(),
            flow.start[0](),
            answers=answers,
        )
        async with transaction():
            turn = await engine.begin(flow, step)
            expires_at = now + flow.lifetime
            state = type(step.state).name
            await self.store.add(
                flow_id, flow.kind, state, turn.content, csrf_token, now, expires_at
            )
        return _result(flow_id, flow, turn, csrf_token, expires_at)

    async def _run(  # noqa: PLR0913, PLR0917  # the parts of a step
        self,
        flow: Flow,
        kept: Kept,
        lease: UUID | None,
        action: str,
        given: Given,
        request: FlowRequest,
        answers: Answers,
    ) -> StepResult:
        """Run the action in one transaction; with the flow held everything is looked at once more.

        The flow is held by the lease, or by the transaction itself where nothing was needed yet
        that takes its time.
        """
        csrf_token = new_csrf_token()
        content = self.store.open(kept)
        step = self._step(flow, kept, content, request, answers)
        async with transaction():
            if lease is None and not await self.store.hold(kept, step.now):
                raise _busy()
            found = await engine.check(flow, step, action)
            turn = await engine.take(flow, step, found, given, content)
            state = type(step.state).name
            if not await self.store.save(kept, lease, state, turn.content, csrf_token):
                raise TechnicalError("The flow has moved on in the meantime.")
        return _result(kept.id, flow, turn, csrf_token, kept.expires_at)

    def _step(  # the parts of a step
        self,
        flow: Flow,
        kept: Kept,
        content: Content,
        request: FlowRequest,
        answers: Answers,
    ) -> Step:
        return Step(
            self.domains,
            kept.id,
            flow.kind,
            request,
            self.domains.clock(),
            content.stash,
            flow.by_name[kept.state](),
            previous=flow.by_name[content.previous] if content.previous else None,
            can_go_back=bool(content.past),
            visited=content.visited,
            stored=tuple(flow.by_name[name] for name in content.schedule),
            answers=answers,
        )


def _busy() -> TechnicalError:
    return TechnicalError("Another action of this flow is running.")


async def _patiently(
    attempt: Callable[[Answers], Awaitable[StepResult]],
    answers: Answers,
    needed: NeededOutside | None = None,
) -> StepResult:
    """Run a step, and again with every answer that it needed from outside its transaction."""
    for _ in range(_MOST_OUTSIDE):
        if needed is not None:
            answers[needed.key] = await needed.work()
        try:
            return await attempt(answers)
        except NeededOutside as more:
            needed = more
    raise TechnicalError


@contextmanager
def _told(request: FlowRequest) -> Iterator[None]:
    """Turn a defect into what a caller may know of it; the rest is for the log (SEC-097)."""
    try:
        yield
    except TechnicalError as error:
        extra = {"request_id": request.actor.origin.request_id}
        _log.info("a step was not taken: %s", error.message, extra=extra)
        raise
    except (FlowError, Forbidden, Unavailable):
        raise
    except Exception as error:
        extra = {"request_id": request.actor.origin.request_id}
        _log.exception("a step failed", extra=extra)
        raise TechnicalError from error


def _result(
    flow_id: UUID, flow: Flow, turn: Turn, csrf_token: str, expires_at: datetime
) -> StepResult:
    step = turn.step
    return StepResult(
        flow_id=flow_id,
        kind=flow.kind,
        state=step.state,
        actions=turn.actions,
        csrf_token=csrf_token,
        expires_at=expires_at,
        error=step.error,
        issued=step.issued,
        cookies=tuple(step.cookies),
        forgets_session=step.forgets_session,
    )
