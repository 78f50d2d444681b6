"""Claims face verifiers: who abstains never refutes, and what nobody decided is never dropped."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel
from runs import Row, play

from commedia.actors.simulation.world import Thing, World
from commedia.actors.verifier import Ruling, Verdict
from commedia.patterns.adversarial_verification import LENSES, Poll, poll, verify_adversarially
from commedia.supervisor.results import Failure, Results
from commedia.supervisor.run import Run

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


class Cause(BaseModel):
    service: str


def polled(word: str) -> Poll[str]:
    """u upheld, r refuted, p partly, n unverifiable, - abstained."""
    rulings = {ruling.value[0]: ruling for ruling in Ruling}
    rulings |= {"n": Ruling.UNVERIFIABLE, "u": Ruling.UPHELD, "-": Ruling.ABSTAINED}
    return Poll("claim", tuple(Verdict(verdict=rulings[letter]) for letter in word))


@pytest.mark.parametrize(
    ("word", "majority", "veto"),
    [
        ("uuu", True, True),
        ("uur", True, False),
        ("urr", False, False),
        ("u--", True, True),
        ("ur-", False, False),
        ("uup", True, True),
        ("upn", False, False),
        ("nnn", False, False),
        ("---", None, None),
        ("r--", False, False),
    ],
)
def test_the_rules_count_only_those_that_did_not_abstain(
    word: str, majority: bool | None, veto: bool | None
) -> None:
    assert polled(word).upheld("majority") is majority
    assert polled(word).upheld("veto") is veto


def by_lens(answers: Mapping[str, Sequence[str]]) -> Any:
    """A model that rules on each claim by the lens it looks through: `-` fails the call."""

    def model(row: Row) -> Any:
        claim = next(claim for claim in answers if f"\n{claim}\n" in row["prompt"])
        lens = next(n for n, lens in enumerate(LENSES) if lens in row["prompt"])
        word = answers[claim][lens]
        if word == "-":
            raise ValueError("no verdict")
        return {"verdict": word, "reason": "", "evidence": []}

    return model


def test_the_upheld_come_in_order_and_the_undecided_are_listed() -> None:
    answers = {
        "first": ["upheld", "refuted", "upheld"],
        "second": ["-", "-", "-"],
        "third": ["refuted", "refuted", "upheld"],
        "fourth": ["-", "upheld", "-"],
        "fifth": ["-", "refuted", "-"],
    }

    async def script(run: Run) -> Results[str]:
        return await verify_adversarially(run, list(answers), "It is so.", votes=3)

    result = play(script, model=by_lens(answers))

    assert list(result.value) == ["first", "fourth"]
    assert result.value.places == (0, 3)
    [undecided] = result.value.failed
    assert (undecided.place, undecided.why.partition(":")[0]) == (1, "undecided")
    assert result.status == "degraded"


def test_failures_from_before_stay_beside_what_is_upheld() -> None:
    async def script(run: Run) -> Results[str]:
        given = Results(["b", "c"], [Failure(0, "lost")], [1, 2])
        return await verify_adversarially(run, given, "It is so.", votes=1)

    def model(row: Row) -> Any:
        word = "upheld" if "\nc\n" in row["prompt"] else "refuted"
        return {"verdict": word, "reason": "", "evidence": []}

    found = play(script, model=model).value

    assert (list(found), found.places, [f.why for f in found.failed]) == (["c"], (2,), ["lost"])


def test_values_and_handles_can_be_claims() -> None:
    async def script(run: Run) -> tuple[list[Cause], bool]:
        handle = await run.read("the page", "What does it say?")
        causes = await verify_adversarially(run, [Cause(service="cart")], "It is so.")
        handles = await verify_adversarially(run, [handle], "It is so.", votes=1)
        return list(causes), handles[0] is handle

    def model(row: Row) -> Any:
        if row["role"] == "reader":
            return "it is as it is"
        assert '{"service":"cart"}' in row["prompt"] or "it is as it is" in row["prompt"]
        more = {"reason": "", "evidence": []} if "reason" in row["output_schema"] else {}
        return {"verdict": "upheld", **more}

    assert play(script, model=model).value == ([Cause(service="cart")], True)


def test_voters_differ_in_lens_and_model() -> None:
    seen: list[tuple[str, int]] = []

    async def script(run: Run) -> Results[Poll[str]]:
        models = ("one", "two")
        return await poll(run, ["a claim"], "It is so.", votes=6, models=models)

    def model(row: Row) -> Any:
        lens = next(n for n, lens in enumerate(LENSES) if lens in row["prompt"])
        seen.append((row["model"], lens))
        return {"verdict": "partly", "reason": "", "evidence": []}

    [found] = play(script, model=model).value

    assert sorted(seen) == [*(("one", n) for n in (0, 2, 4)), *(("two", n) for n in (0, 1, 3))]
    assert found.counts == {Ruling.PARTLY: 6}


def test_what_speaks_for_a_claim_can_be_widened() -> None:
    async def script(run: Run) -> Results[str]:
        return await verify_adversarially(
            run, ["a"], "It is so.", votes=1, keep=(Ruling.UPHELD, Ruling.PARTLY)
        )

    model = {"verdict": "partly", "reason": "", "evidence": []}
    assert list(play(script, model=lambda row: model).value) == ["a"]


def claims(count: int = 200) -> World:
    return World([Thing(f"claim {n} of many", holds=n % 2 == 0) for n in range(count)])


def test_more_and_other_eyes_find_more_of_what_is_false() -> None:
    """Simulated, 200 claims of a sonnet, half of them false: precision rises with each step."""
    world = claims()

    async def script(run: Run) -> list[float]:
        precision = []
        for votes, models in ((1, ()), (3, ()), (3, ("sim:other",))):
            texts = [thing.text for thing in world.things]
            kept = await verify_adversarially(run, texts, "It is so.", votes=votes, models=models)
            true = [world.find(text).is_true for text in kept]  # type: ignore[union-attr]
            precision.append(sum(map(bool, true)) / len(true))
        return precision

    one, three, other = play(script, model="sim:sonnet", world=world).value

    assert 0.55 < one <= three < other


def test_ideal_verifiers_uphold_what_is_true_and_nothing_else() -> None:
    world = claims(40)

    async def script(run: Run) -> Results[str]:
        return await verify_adversarially(run, [t.text for t in world.things], "It is so.")

    assert list(play(script, world=world).value) == [t.text for t in world.things if t.is_true]


def test_a_claim_that_cannot_be_shown_is_listed() -> None:
    async def script(run: Run) -> Results[object]:
        return await verify_adversarially(run, ["a", object()], "It is so.", votes=1)

    upheld = {"verdict": "upheld", "reason": "", "evidence": []}
    found = play(script, model=lambda row: upheld).value

    assert list(found) == ["a"]
    assert [failure.place for failure in found.failed] == [1]
