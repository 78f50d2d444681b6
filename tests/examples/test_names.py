"""Names for a tool: the best come through, and what can be lost on the way is said."""

import re
from statistics import fmean
from typing import Any

import pytest
from runs import UPHELD, Row, play
from shown import held

from commedia import Preference
from commedia.patterns.generate_and_filter import WAYS
from commedia.supervisor.store import find_run

NAMES, WORLD = held("names.py", "names"), held("names.py", "WORLD")
GOOD = held("names.py", "GOOD").split()
UNFIT = {*held("names.py", "TAKEN").split(), *held("names.py", "CLUMSY").split()}

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


def test_most_of_three_names_are_among_the_worlds_five_best() -> None:
    found = [play(NAMES, model="sim:sonnet", world=WORLD, seed=n).value for n in range(5)]

    assert all(len(set(names)) == 3 for names in found)
    assert fmean(len({*names} & {*GOOD[:5]}) for names in found) >= 2
    assert fmean(len({*names} & UNFIT) for names in found) < 0.75


def test_what_code_can_refuse_no_agent_looks_at() -> None:
    """Ideal agents think of every name of the world, and verify those that can be typed."""
    result = play(NAMES, "sorts", len(WORLD.things), world=WORLD)

    assert len({*result.value} & {*GOOD[:5]}) >= 2
    assert not {*result.value} & UNFIT
    written = find_run(result.run_id).agents().num_rows  # the judges were asked in bulk
    assert written == 6 + 3 * len([thing for thing in WORLD.things if thing.id.isalpha()])


def test_names_are_had_filtered_and_put_in_order_by_these_calls() -> None:
    """One of six agents has no answer: what is made of the others' says so."""
    asked: list[Row] = []
    ideas = {WAYS[0]: ["Podium", "sort"], WAYS[1]: ["podium", "rank2000"], WAYS[2]: ["ladder"]}

    def model(row: Row) -> Any:
        asked.append(row)
        if row["role"] == "judge":
            typed = ["podium", "sort", "ladder"]
            first, second = (name for name in re.findall(r"\w+", row["prompt"]) if name in typed)
            return Preference(order=(0, 1) if first < second else (1, 0))
        if row["role"] == "verifier":
            is_taken = "<claim>\nsort\n</claim>" in row["prompt"]
            return {**UPHELD, "verdict": "refuted" if is_taken else "upheld"}
        if WAYS[5] in row["prompt"]:
            raise TimeoutError
        return {"value": next((had for way, had in ideas.items() if way in row["prompt"]), [])}

    result = play(NAMES, "paints", 2, model=model)

    assert result.value == ["ladder", "podium"]
    assert (result.status, result.missing) == ("degraded", {"failed": 1})
    roles = [row["role"] for row in asked]
    assert roles == ["worker"] * 6 + ["verifier"] * 9 + ["judge"] * roles.count("judge")
    assert all("paints" in row["prompt"] for row in asked)


def test_of_no_name_that_holds_up_there_is_none() -> None:
    def model(row: Row) -> Any:
        return {"value": ["sort"]} if row["role"] == "worker" else {**UPHELD, "verdict": "refuted"}

    assert play(NAMES, model=model).value == []
