"""A plan's weaknesses are found by the reader who should; what was not heard is said."""

from typing import Any

import pytest
from runs import UPHELD, Row, play
from shown import held

PLAN, WORLD = held("plan.py", "plan"), held("plan.py", "WORLD")
PLANTED, ANSWERED = held("plan.py", "PLANTED"), held("plan.py", "ANSWERED")

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


def test_planted_weaknesses_are_found_each_by_the_reader_who_should() -> None:
    heard = [play(PLAN, model="sim:sonnet", world=WORLD, seed=n).value for n in range(8)]

    for reader, planted in PLANTED.items():
        found = [len({*each.objections[reader]} & {*planted}) for each in heard]
        said = [len({*each.objections[reader], *each.doubted[reader]}) for each in heard]
        assert sum(found) >= 0.75 * len(planted) * len(heard), reader
        assert sum(said) >= 0.9 * len(planted) * len(heard), "what is doubted is kept"
    wrong = [len({*e.objections[r]} & {*said}) for e in heard for r, said in ANSWERED.items()]
    assert sum(wrong) <= 0.25 * 6 * len(heard)


def test_a_reader_says_only_what_that_reader_sees_and_all_of_it_is_in_the_review() -> None:
    heard = play(PLAN, world=WORLD).value

    assert {r: {*said} for r, said in heard.objections.items()} == {
        reader: {*planted} for reader, planted in PLANTED.items()
    }
    expected = [f"{r}: {claim}" for r, said in heard.objections.items() for claim in said]
    assert (heard.review, heard.silent) == (expected, [])


def test_three_readers_are_checked_and_heard_by_these_calls() -> None:
    asked: list[str] = []

    def model(row: Row) -> Any:
        asked.append(row["prompt"])
        if row["role"] == "verifier":
            assert "Restock" in row["prompt"]
            if "<claim>\nunchecked" in row["prompt"]:
                raise TimeoutError
            ruling = "refuted" if "<claim>\nwrong" in row["prompt"] else "upheld"
            return {**UPHELD, "verdict": ruling}
        if "You are the investor" in row["prompt"]:
            return {"value": ["too dear", "wrong"]}
        if "You are the competitor" in row["prompt"]:
            return {"value": ["easy to copy", "unchecked"]}
        if "You are the customer" in row["prompt"]:
            raise TimeoutError
        return {"answer": ["Raise the price.", "Find what is your own."], "used": ["1", "2"]}

    result = play(PLAN, model=model)
    review = result.value

    assert review.objections == {"investor": ["too dear"], "competitor": ["easy to copy"]}
    assert review.review == ["Raise the price.", "Find what is your own."]
    assert review.doubted == {"investor": ["wrong"], "competitor": ["unchecked"]}
    assert review.silent == ["customer"]
    assert (result.status, result.missing) == ("degraded", {"failed": 1 + 3})
    assert len(asked) == 3 + 4 * 3 + 1
    assert "investor: too dear" in asked[-1]


def test_a_plan_without_a_weakness_is_told_so() -> None:
    def model(row: Row) -> Any:
        if "You are the" in row["prompt"]:
            return {"value": []}
        assert "There are no items" in row["prompt"]
        return {"answer": ["Nobody objects."], "used": []}

    review = play(PLAN, model=model).value

    assert set(review.objections) == {"investor", "customer", "competitor"}
    assert (review.review, review.silent) == (["Nobody objects."], [])
