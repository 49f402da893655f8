"""What the outcomes of actions make of a flow (§1.7), shown on a flow made for it."""

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from app.access import Actor
from app.errors import Invalid
from app.flows import engine
from app.flows.definition import Flow, SubFlow
from app.flows.errors import (
    FlowDiscontinuity,
    FormDataInvalid,
    OperationNotPermitted,
    TechnicalError,
    ValueInvalid,
)
from app.flows.inputs import Input, Problem
from app.flows.outcomes import End, Move, Refuse, Stay
from app.flows.stash import Stash
from app.flows.state import State
from app.flows.step import Action, FlowRequest, GoBack, NeededOutside, Step


class Begin(State, frozen=True):
    """Begin."""

    name: ClassVar[str] = "begin"


class First(State, frozen=True):
    """First."""

    name: ClassVar[str] = "first"
    shown: str | None = None
    hooked: int | None = None


class Second(State, frozen=True):
    """Second."""

    name: ClassVar[str] = "second"
    shown: str | None = None


class Other(State, frozen=True):
    """Another sub-flow's."""

    name: ClassVar[str] = "other"


class Last(State, frozen=True):
    """Last."""

    name: ClassVar[str] = "last"


class Dead(State, frozen=True):
    """Over."""

    name: ClassVar[str] = "error"


class Do(Action, frozen=True):
    """Does what the test has put into `OUTCOMES`."""

    name: ClassVar[str] = "do"
    text: str = ""

    @classmethod
    def inputs(cls, step):
        return (Input("text", preserved=True, max_length=5),)

    async def run(self, step):
        return await TODAY[0](step, self.text)


class Suspended(Action, frozen=True):
    """Never offered."""

    name: ClassVar[str] = "suspended"

    @classmethod
    def offered(cls, step):
        return False


TODAY: list[Any] = []
LOG: list[str] = []


def noted(word):
    async def hook(step):
        LOG.append(word)

    return hook


async def count_up(step):
    step.stash.identification += "x"
    step.show(hooked=len(step.stash.identification))


def flow(**changes):
    actions = (Do, Suspended, GoBack)
    given = {
        "start": (Begin, First),
        "states": {Begin: (Do,), Last: (), Dead: ()},
        "parts": (
            SubFlow("one", {First: actions, Second: actions}),
            SubFlow("two", {Other: actions}),
        ),
        "error": Dead,
        **changes,
    }
    return Flow("login", **given)


class Walk:
    """One flow in memory."""

    def __init__(self, definition):
        self.flow = definition
        self.content = None
        self.answers = {}

    async def begin(self):
        step = self._step(Stash(), self.flow.start[0]())
        return self._kept(await engine.begin(self.flow, step))

    async def do(self, does, action="do", **given):
        TODAY[:] = [does]
        content = self.content
        step = self._step(content.stash.snapshot(), self.flow.by_name[self.state]())
        step.previous = self.flow.by_name.get(content.previous)
        step.can_go_back = bool(content.past)
        step.visited = content.visited
        step.stored = tuple(self.flow.by_name[name] for name in content.schedule)
        found = await engine.check(self.flow, step, action)
        return self._kept(await engine.take(self.flow, step, found, given, content))

    async def back(self):
        return await self.do(None, "back")

    def _step(self, stash, state):
        request = FlowRequest(Actor())
        now = datetime.now(UTC)
        return Step(None, uuid4(), "login", request, now, stash, state, answers=self.answers)

    def _kept(self, turn):
        self.content, self.state, self.step = turn.content, turn.step.state.name, turn.step
        self.turn = turn
        return turn.step.state

    @property
    def offered(self):
        return [one.action.name for one in self.turn.actions]


def moves(*states, **how):
    async def does(step, text):
        step.stash.email = text
        return Move(*states, **how)

    return does


def returns(outcome):
    async def does(step, text):
        step.stash.email = text
        return outcome

    return does


@pytest.fixture
async def walk():
    LOG.clear()
    begun = Walk(flow())
    await begun.begin()
    return begun


async def test_a_flow_begins_in_its_first_state_with_the_rest_scheduled(walk):
    assert (walk.state, walk.content.schedule) == ("begin", ("first",))
    assert isinstance(await walk.do(moves()), First)


async def test_states_of_a_move_come_before_those_that_are_stored(walk):
    await walk.do(moves(Second, Other))
    assert (walk.state, walk.content.schedule) == ("second", ("other", "first"))


async def test_what_an_action_schedules_comes_before_its_move(walk):
    async def does(step, text):
        step.schedule(Other)
        return Move(Second(shown="lost"))

    await walk.do(does)
    assert (walk.state, walk.content.schedule) == ("other", ("second", "first"))


async def test_a_first_state_brings_its_payload_along(walk):
    assert await walk.do(moves(Second(shown="once"))) == Second(shown="once")


async def test_payload_is_never_remembered(walk):
    await walk.do(moves(Second(shown="once")))
    assert await walk.do(returns(Stay())) == Second()
    assert await walk.do(returns(Refuse(FormDataInvalid()))) == Second()


async def test_a_move_to_nowhere_fails_and_leaves_nothing(walk):
    await walk.do(moves())
    with pytest.raises(TechnicalError):
        await walk.do(moves())


async def test_hooks_run_in_their_order_and_only_where_they_belong():
    LOG.clear()
    walk = Walk(
        flow(
            before={First: (noted("before 1"), noted("before 2"))},
            after={First: (noted("after 1"), noted("after 2"))},
            after_part={"one": (noted("left one"),)},
        )
    )
    await walk.begin()
    await walk.do(moves())
    assert LOG == ["before 1", "before 2"]
    await walk.do(moves(Second))
    assert LOG[2:] == ["after 1", "after 2"]
    await walk.do(moves(First))
    assert LOG[4:] == ["before 1", "before 2"]
    await walk.do(moves(Other))
    assert LOG[6:] == ["left one", "after 1", "after 2"]


async def test_hooks_of_a_sub_flow_run_in_every_flow_before_its_own():
    LOG.clear()
    part = SubFlow("one", {First: (Do,)}, before={First: (noted("part"),)})
    walk = Walk(flow(parts=(part,), before={First: (noted("flow"),)}))
    await walk.begin()
    await walk.do(moves())
    assert LOG == ["part", "flow"]


async def test_a_sub_flow_is_left_when_nothing_is_known_to_follow():
    async def adds(step):
        step.schedule(Last)

    walk = Walk(flow(after_part={"one": (adds,)}))
    await walk.begin()
    await walk.do(moves())
    assert isinstance(await walk.do(moves()), Last)


async def test_staying_keeps_the_stash_and_makes_no_history(walk):
    await walk.do(moves())
    await walk.do(returns(Stay()), text="kept")
    assert (walk.state, walk.content.stash.email, len(walk.content.past)) == ("first", "kept", 1)
    assert walk.content.previous == "begin"


async def test_staying_with_an_error_tells_it_and_keeps_the_stash(walk):
    error = Invalid()
    await walk.do(moves())
    await walk.do(returns(Stay(error)), text="kept")
    assert (walk.step.error, walk.content.stash.email) == (error, "kept")


async def test_refusing_forgets_what_the_action_has_put_into_the_stash(walk):
    await walk.do(moves(), text="first")
    await walk.do(returns(Refuse(FormDataInvalid(), show={"shown": "shown"})), text="lost")
    assert walk.content.stash.email == "first"
    assert walk.step.state == First(shown="shown")
    assert isinstance(walk.step.error, FormDataInvalid)


async def test_after_a_refusal_the_state_before_is_still_the_last_different_one_q_03(walk):
    await walk.do(moves())
    await walk.do(moves(Second))
    await walk.do(returns(Refuse(FormDataInvalid())))
    assert walk.content.previous == "first"
    assert walk.step.came_from(First)


async def test_what_a_hook_writes_survives_a_refusal_and_going_back_q_02():
    walk = Walk(flow(before={First: (count_up,)}))
    await walk.begin()
    assert (await walk.do(moves())).hooked == 1
    assert (await walk.do(returns(Refuse(FormDataInvalid())))).hooked == 2
    assert walk.content.stash.identification == "xx"
    await walk.do(moves(Second))
    assert (await walk.back()).hooked == 3
    assert walk.content.stash.identification == "xxx"


async def test_going_back_restores_state_stash_schedule_and_what_was_before(walk):
    await walk.do(moves(), text="a")
    await walk.do(moves(Second, Other), text="b")
    await walk.do(moves(First), text="c")
    assert walk.content.schedule == ("other",)
    assert isinstance(await walk.back(), Second)
    assert (walk.content.stash.email, walk.content.previous) == ("b", "first")
    assert walk.content.schedule == ("other",)
    assert isinstance(await walk.back(), First)
    assert (walk.content.stash.email, walk.content.schedule) == ("a", ())


async def test_the_hooks_of_leaving_do_not_run_on_the_way_back():
    LOG.clear()
    walk = Walk(flow(after={First: (noted("after"),)}, after_part={"one": (noted("left"),)}))
    await walk.begin()
    await walk.do(moves())
    await walk.back()
    assert LOG == []


async def test_a_step_without_a_way_back_leaves_none(walk):
    await walk.do(moves())
    await walk.do(moves(Second, no_back=True))
    assert "back" not in walk.offered
    with pytest.raises(OperationNotPermitted):
        await walk.back()
    await walk.do(moves(Other))
    assert isinstance(await walk.back(), Second)
    assert "back" not in walk.offered


async def test_back_is_judged_by_the_stash_that_is_restored_q_04():
    class Picky(Suspended, frozen=True):
        """Offered while nothing is remembered."""

        name: ClassVar[str] = "picky"

        @classmethod
        def offered(cls, step):
            return not step.stash.email

    part = SubFlow("one", {First: (Do, Picky, GoBack), Second: (Do, GoBack)})
    walk = Walk(flow(parts=(part,)))
    await walk.begin()
    await walk.do(moves())
    await walk.do(moves(Second), text="put")
    await walk.back()
    assert "picky" in walk.offered


async def test_the_way_back_has_an_end(walk):
    for _ in range(60):
        await walk.do(moves(First))
        await walk.do(moves(Second))
    assert len(walk.content.past) == 32


async def test_a_move_may_tell_a_refusal_and_keeps_the_stash(walk):
    error = Invalid()
    await walk.do(moves(Second, error=error), text="kept")
    assert (walk.state, walk.step.error, walk.content.stash.email) == ("second", error, "kept")


async def test_a_flow_that_has_ended_offers_nothing(walk):
    await walk.do(moves())
    await walk.do(returns(End(FlowDiscontinuity())))
    assert (walk.state, walk.offered, walk.content.past) == ("error", [], ())
    assert walk.content.schedule == ()


async def test_a_refusal_that_an_action_has_told_before_it_moves_is_told(walk):
    async def does(step, text):
        step.fail(FlowDiscontinuity())
        step.schedule(Dead)
        return Move(Second)

    await walk.do(does)
    assert (walk.state, type(walk.step.error)) == ("error", FlowDiscontinuity)


async def test_visited_states_are_known_until_they_are_undone(walk):
    await walk.do(moves())
    await walk.do(moves(Second))
    assert walk.step.has_visited(First)
    await walk.back()
    assert not walk.step.has_visited(First)
    assert walk.step.has_visited(Begin)


async def test_an_action_that_is_not_of_the_state_or_not_offered_is_refused_sec_060(walk):
    await walk.do(moves())
    for name in ("suspended", "nothing", "", "run", "__init__"):
        with pytest.raises(OperationNotPermitted):
            await walk.do(None, name)


async def test_broken_inputs_are_refused_before_the_action_runs(walk):
    async def does(step, text):
        raise AssertionError

    await walk.do(does, text="too long")
    (offered,) = walk.turn.actions
    (shown,) = offered.inputs
    assert (walk.step.error.code, shown.problem.error.code, shown.value) == (
        "form_data_invalid_error",
        "value_too_long_error",
        "too long",
    )


async def test_a_preserved_input_shows_nothing_until_it_was_sent(walk):
    (offered,) = walk.turn.actions
    assert offered.inputs[0].value is None


async def test_problems_belong_to_the_action_that_was_sent(walk):
    problem = Problem(ValueInvalid())
    await walk.do(moves())
    await walk.do(returns(Refuse(FormDataInvalid(), {"text": problem})), text="x")
    do = next(one for one in walk.turn.actions if one.action is Do)
    assert do.inputs[0].problem is problem
    await walk.do(moves(Second))
    do = next(one for one in walk.turn.actions if one.action is Do)
    assert do.inputs[0].problem is None


async def test_work_outside_stops_the_step_until_there_is_an_answer(walk):
    async def work():
        return 42

    async def does(step, text):
        step.stash.email = str(await step.outside("sum", work))
        return Move()

    with pytest.raises(NeededOutside) as needed:
        await walk.do(does)
    walk.answers = {needed.value.key: await needed.value.work()}
    await walk.do(does)
    assert walk.content.stash.email == "42"
