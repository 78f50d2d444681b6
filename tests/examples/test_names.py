"""Names for a tool: the best come through, and what can be lost on the way is said."""

import re
from statistics import fmean
from typing import Any

import pytest
from runs import Row, play
from shown import held

from commedia import Preference

NAMES, WORLD = held("names.py", "names"), held("names.py", "WORLD")
GOOD = held("names.py", "GOOD").split()
UNFIT = {*held("names.py", "TAKEN").split(), *held("names.py", "CLUMSY").split()}

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


def test_most_of_three_names_are_among_the_worlds_five_best() -> None:
    found = [play(NAMES, model="sim:sonnet", world=WORLD, seed=n).value for n in range(6)]

    assert all(len(set(names)) == 3 for names in found)
    assert fmean(len({*names} & {*GOOD[:5]}) for names in found) >= 2
    assert fmean(len({*names} & UNFIT) for names in found) < 0.75


def test_a_name_is_typed_with_ease_whatever_the_verifiers_say() -> None:
    """An ideal agent thinks of every name of the world, and what code can refuse comes no further.

    It is refused before an agent looks at it: there are as many verifiers as the rest needs.
    """
    result = play(NAMES, world=WORLD)

    assert result.value[0] in GOOD[:3]
    assert len({*result.value} & {*GOOD[:5]}) >= 2
    assert result.agents == 6 + 3 * len([thing for thing in WORLD.things if thing.id.isalpha()])


def test_names_are_had_filtered_and_put_in_order_by_these_calls() -> None:
    roles: list[str] = []
    had = {"best": ["Podium", "sort"], "most": ["podium", "rank2000"], "simplest": ["ladder"]}

    def model(row: Row) -> Any:
        roles.append(row["role"])
        if row["role"] == "judge":
            return Preference(order=tuple(sorted(range(len(row["items"])), key=_shown(row).index)))
        if row["role"] == "verifier":
            word = "refuted" if "\nsort\n" in row["prompt"] else "upheld"
            return {"verdict": word, "reason": "", "evidence": []}
        if "usual assumption" in row["prompt"]:
            raise TimeoutError
        return {"value": next((had[way] for way in had if f" {way}" in row["prompt"][-70:]), [])}

    result = play(NAMES, "paints", 2, model=model)

    assert result.value == ["ladder", "podium"]
    assert (result.status, result.missing) == ("degraded", {"failed": 1})
    assert [roles.count(role) for role in ("worker", "verifier")] == [6, 9]
    assert set(roles[-3:]) == {"judge"}


def _shown(row: Row) -> list[str]:
    texts = re.findall(r">\n([a-z]+)\n</", row["prompt"])
    return sorted(texts, key=texts.index)
