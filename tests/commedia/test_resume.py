"""A resumed run asks what is new or was changed, and nothing else; it comes to the same end."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, field_validator
from runs import Row, play

from commedia.actors.errors import RunFailedError, UsageError
from commedia.actors.models.wire import Attempt
from commedia.resuming import record_answer
from commedia.run_result import RunResult
from commedia.session import Session
from commedia.supervisor.run import Run
from commedia.supervisor.store import find_run


class Counter:
    """A model that remembers what it was asked; *fails* are the prompts that it refuses."""

    def __init__(self, *fails: str) -> None:
        self.asked: list[str] = []
        self.fails = fails

    def __call__(self, row: Row) -> Any:
        self.asked.append(row["prompt"])
        if row["prompt"] in self.fails:
            return Attempt("refused")
        if row["output_schema"]:
            return {"size": len(row["prompt"])}
        return row["prompt"].upper()


def resume(
    model: Callable[[Row], Any],
    script: Any,
    *,
    mode: Any = "content",
    budget: Any = None,
    **args: Any,
) -> RunResult[Any]:
    """Go on with the last run in a session of its own, as another process would."""
    with Session(model=model, runtime="inline", budget=budget) as session:
        return session.resume("last", script, mode=mode, **args)


async def wide(run: Run, width: int = 100, changed: int | None = None) -> list[str | None]:
    """Ask so many agents side by side; one of them with other words."""
    words = [f"part {n}" + (" anew" if n == changed else "") for n in range(width)]
    return await run.parallel([partial(run.work, each) for each in words])


async def steps(run: Run, count: int = 6) -> str:
    """Ask one after the other, each with what the last one said."""
    said = "begin"
    for _ in range(count):
        said = await run.work(f"after {said}")
    return said


def test_only_the_failed_and_the_changed_agent_are_asked_again() -> None:
    model = Counter("part 17")
    first = play(wide, model=model)
    assert (first.status, first.missing, len(model.asked)) == ("degraded", {"refused": 1}, 100)

    model = Counter()
    second = resume(model, wide, changed=40)

    assert sorted(model.asked) == ["part 17", "part 40 anew"]
    assert second.value == [f"PART {n}{' ANEW' if n == 40 else ''}" for n in range(100)]
    assert (second.reused, second.asked, second.status) == (98, 2, "completed")
    assert "reused: 98 answers and 0 steps of an earlier life of the run; asked now: 2 calls" in (
        second.lines()
    )


def test_a_spent_budget_pauses_and_a_higher_one_goes_on() -> None:
    model = Counter()
    first = play(steps, model=model, budget="2agents")
    with pytest.raises(Exception, match="paused"):
        _ = first.value
    assert (first.status, len(model.asked)) == ("paused", 2)
    assert "resume with a higher --budget" in (first.why or "")

    again = Counter()
    assert resume(again, steps, budget="2agents").status == "paused"
    assert again.asked == []

    second = resume(again, steps, budget="6agents")

    assert (second.status, second.calls, second.asked) == ("completed", 6, 4)
    assert second.value == play(steps, model=Counter()).value
    assert not set(model.asked) & set(again.asked)


async def rows(run: Run, width: int = 5) -> list[str | None]:
    """Ask in so many branches, three times in each."""

    async def branch(number: int) -> str:
        return " ".join([await run.work(f"part {number} of row {row}") for row in range(3)])

    return await run.parallel([partial(branch, number) for number in range(width)])


def test_what_was_answered_when_the_budget_ended_is_kept() -> None:
    model = Counter()
    first = play(rows, model=model, budget="12agents")
    assert first.status == "paused"
    assert 10 <= len(model.asked) <= 12

    again = Counter()
    second = resume(again, rows, budget="15agents")

    assert (second.status, second.reused, second.calls) == ("completed", len(model.asked), 15)
    assert second.asked == 15 - len(model.asked)
    assert not set(model.asked) & set(again.asked)


def test_a_completed_run_is_computed_again_for_nothing() -> None:
    first = play(steps, model=Counter())
    model = Counter()
    second = resume(model, steps)

    assert (second.status, second.value, model.asked) == ("completed", first.value, [])
    assert (second.calls, second.asked, second.tokens) == (first.calls, 0, first.tokens)


def test_a_completed_run_is_never_made_less_of_by_a_lower_budget() -> None:
    assert play(steps, model=Counter(), budget="20agents").status == "completed"

    with pytest.raises(UsageError, match=r"is completed, and took 6agents, more than the budget"):
        resume(Counter(), steps, budget="1agents")

    assert find_run("last").data["status"] == "completed"
    assert resume(Counter(), steps, budget="6agents").status == "completed"


def test_another_model_is_another_answer() -> None:
    play(wide, 4, model=Counter())

    def named(row: Row) -> str:
        return "named"

    with Session(model=named, runtime="inline") as session:
        other = session.resume("last", other_model)

    assert other.asked == 4


async def other_model(run: Run, width: int = 4) -> Any:
    """Do as `wide` does, on a model with another name."""
    return await run.parallel([partial(run.work, f"part {n}", model="big") for n in range(width)])


class Size(BaseModel):
    """What a model says of a prompt."""

    size: int


class Sizes(Size):
    """The same, more closely described: another schema."""


async def typed(run: Run, output: bool = False) -> list[int]:
    """Ask for two sizes; the schema of the second may be another."""
    first = await run.work("how long", output=Size)
    kind: type[Size] = Sizes if output else Size
    return [first.size, (await run.work("how wide", output=kind)).size]


def test_another_schema_is_another_call() -> None:
    play(typed, model=Counter())
    model = Counter()

    assert resume(model, typed, output=True).value == [8, 8]
    assert model.asked == ["how wide"]


def test_arguments_that_are_not_given_anew_stay_as_they_were() -> None:
    play(wide, 5, model=Counter())
    model = Counter()
    result = resume(model, wide, changed=2)

    assert model.asked == ["part 2 anew"]
    assert len(result.value) == 5


async def less(run: Run, width: int = 1) -> int:
    """Take fewer arguments than `wide` does."""
    await run.work(f"part {width - 1}")
    return width


def test_an_edited_workflow_may_take_other_arguments() -> None:
    play(wide, 3, 1, model=Counter())
    model = Counter()

    assert resume(model, less).value == 3
    assert model.asked == []
    with pytest.raises(UsageError, match="height"):
        resume(model, less, height=3)


def test_a_step_in_front_does_not_ask_again_what_follows() -> None:
    """Paths move; what is asked stays the same."""
    play(steps, 3, model=Counter())

    async def edited(run: Run, count: int) -> str:
        await run.work("look first")
        return await steps(run, count)

    model = Counter()
    assert resume(model, edited).reused == 3
    assert model.asked == ["look first"]

    model = Counter()
    assert resume(model, edited).reused == 4
    assert model.asked == []


async def alike(run: Run, width: int = 4) -> list[str | None]:
    """Ask the same of all."""
    return await run.parallel([partial(run.work, "roll the dice") for _ in range(width)])


def test_agents_that_are_asked_the_same_keep_their_own_answers() -> None:
    rolled = iter(range(100))

    def dice(row: Row) -> str:
        return str(next(rolled))

    first = play(alike, model=dice)
    second = resume(dice, alike)
    wider = resume(dice, alike, width=6)

    assert second.value == first.value == ["0", "1", "2", "3"]
    assert wider.value == ["0", "1", "2", "3", "4", "5"]


def test_a_sample_that_failed_takes_none_of_its_siblings() -> None:
    """It alone is asked again; the others are what they were, each in its place."""
    rolled = iter(range(100))

    def dice(row: Row) -> Any:
        number = next(rolled)
        return Attempt("refused") if number == 1 else str(number)

    with pytest.warns(UserWarning, match="1 agent refused"):
        assert play(alike, model=dice).value == ["0", None, "2", "3"]
    second = resume(dice, alike)

    assert second.value == ["0", "4", "2", "3"]
    assert (second.reused, second.asked) == (3, 1)


async def spending(run: Run) -> int:
    """Ask for as long as half of the budget is left."""
    asked = 0
    while (run.budget.agents_left or 0) > 5:
        await run.work(f"question {asked}")
        asked += 1
    return asked


def test_what_was_spent_counts_in_each_life() -> None:
    """So a workflow that looks at its budget decides as it did."""
    first = play(spending, model=Counter(), budget="10agents")
    model = Counter()
    second = resume(model, spending, budget="10agents")

    assert (second.value, second.calls, model.asked) == (first.value, 5, [])


async def asking(run: Run) -> str:
    """Work, ask the user, and work on with the answer."""
    await run.work("prepare")
    place = await run.ask("Where?", options=["here", "there"])
    return await run.work(f"go {place}")


def test_a_question_is_asked_once() -> None:
    model = Counter()
    first = play(asking, model=model)
    assert (first.status, first.question, model.asked) == ("paused", "Where?", ["prepare"])
    with pytest.raises(UsageError, match="asks for one of: here, there"):
        record_answer("last", "nowhere")
    record_answer("last", "there")

    for asked in (["prepare", "go there"], ["prepare", "go there"]):
        second = resume(model, asking)

        assert (second.value, second.status, model.asked) == ("GO THERE", "completed", asked)
    with pytest.raises(UsageError, match="waits for no answer"):
        record_answer("last", "here")


async def mixed(run: Run, word: str = "a") -> str:
    """Ask one agent, call a tool, and ask a table of agents."""
    import pyarrow as pa

    said = await run.work(f"say {word}")
    length = await run.tool(len_of, text=said)
    replies = await run.map(run.work, pa.table({"prompt": [f"row {length} {n}" for n in range(3)]}))
    return " ".join(replies.column("answer").to_pylist())


def len_of(text: str) -> int:
    """Return how long *text* is."""
    return len(text)


def test_mode_replay_asks_nothing() -> None:
    first = play(mixed, model=Counter())
    model = Counter()

    assert resume(model, mixed, mode="replay").value == first.value
    assert model.asked == []


@pytest.mark.parametrize(
    ("edit", "path"), [("work", "/work:1"), ("tool", "/tool:1"), ("map", r"/map:1\[\]")]
)
def test_a_miss_in_mode_replay_fails_the_run(edit: str, path: str) -> None:
    """Whatever the workflow makes of it: nothing is asked, called or left out in silence."""
    play(steps, 0, model=Counter())

    async def edited(run: Run, count: int) -> Any:
        import pyarrow as pa

        made: dict[str, Callable[[], Any]] = {
            "work": lambda: run.work("new"),
            "tool": lambda: run.tool(len_of, text="new"),
            "map": lambda: run.map(run.work, pa.table({"prompt": ["new"]})),
        }
        return await run.parallel([made[edit]])

    model = Counter()
    result = resume(model, edited, mode="replay")

    assert (result.status, model.asked) == ("failed", [])
    with pytest.raises(RunFailedError, match=path + ", and mode replay asks nothing"):
        _ = result.value


class Debt(BaseModel):
    """A number below zero: something that JSON Schema could say, and this type says in code."""

    amount: int

    @field_validator("amount")
    @classmethod
    def is_owed(cls, amount: int) -> int:
        """Refuse what is no debt."""
        if amount >= 0:
            raise ValueError("it must be negative")
        return amount


async def debts(run: Run, count: int = 2) -> list[Debt | None]:
    """Ask one after the other for a debt."""
    return [await run.work(f"debt {n}", output=Debt, on_error="null") for n in range(count)]


def test_an_answer_that_never_fitted_its_type_is_asked_for_again() -> None:
    """Once: from then on the answer that fits is used."""
    asked: list[str] = []

    def better(row: Row) -> dict[str, int]:
        asked.append(row["prompt"])
        return {"amount": -1}

    first = play(debts, model=lambda row: {"amount": 1})
    second, counts = resume(better, debts), len(asked)
    third = resume(better, debts)

    assert (first.value, first.missing) == ([None, None], {"invalid": 2})
    assert (second.value, second.status) == ([Debt.model_construct(amount=-1)] * 2, "completed")
    assert (third.value, counts, len(asked)) == (second.value, 2, 2)


def test_answers_that_fit_no_type_pause_a_run() -> None:
    async def script(run: Run) -> None:
        await debts(run, 100)

    asked: list[str] = []

    def worse(row: Row) -> dict[str, int]:
        asked.append(row["prompt"])
        return {"amount": 1}

    result = play(script, model=worse)

    assert (result.status, len(asked) < 25) == ("paused", True)
    assert "do not fit the type" in str(result.why)
