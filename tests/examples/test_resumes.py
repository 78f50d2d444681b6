"""The ten best resumes are invited, those that only seem good are not, and the rubric is yours."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from runs import UPHELD, Row, play
from shown import held

from commedia import Preference

RESUMES, WORLD = held("resumes.py", "resumes"), held("resumes.py", "WORLD")
PEOPLE, RUBRIC = held("resumes.py", "PEOPLE"), held("resumes.py", "RUBRIC")
BEST = {each["id"] for each in sorted(PEOPLE, key=lambda each: -each["fit"])[:10]}
MISFITS = {each["id"] for each in PEOPLE if "seems" in each}

pytestmark = pytest.mark.filterwarnings("ignore:run .* is degraded")


def test_the_best_ten_are_invited_and_planted_misfits_are_turned_down() -> None:
    found = [play(RESUMES, model="sim:sonnet", world=WORLD, seed=n).value for n in range(5)]

    assert all(len(each.invited) == len(set(each.invited)) == 10 for each in found)
    assert fmean(len({*each.invited} & BEST) for each in found) >= 8
    doubted = [{doubt.id for doubt in each.doubted} & MISFITS for each in found]
    assert fmean(len(each) for each in doubted) >= 2
    assert all({*each.invited, *(d.id for d in each.doubted)} >= MISFITS for each in found)
    assert all(each.rubric == RUBRIC for each in found)


def test_who_never_errs_in_the_double_check_turns_down_all_misfits() -> None:
    found = play(RESUMES, world=WORLD).value

    assert {doubt.id for doubt in found.doubted} == MISFITS
    assert len({*found.invited} & BEST) >= 9
    assert all(doubt.why for doubt in found.doubted)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [{"id": name, "text": f"resume of {name}"} for name in ("dan", "bob", "cyd", "ann")]
    path = tmp_path / "people.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_users_rubric_ranks_and_checks_and_who_is_turned_down_makes_room(file: Path) -> None:
    """Judges order by name; verifiers refute bob, and nobody can say anything of ann.

    Whom nobody could check is not turned down, and not invited either.
    """
    asked: list[Row] = []

    def model(row: Row) -> Any:
        asked.append(row)
        assert "can dance" in row["prompt"]
        if row["role"] == "judge":
            names = ["dan", "bob", "cyd", "ann"]
            shown = [names[item] for item in row["items"]]
            return Preference(order=tuple(sorted(range(len(shown)), key=shown.__getitem__)))
        if "resume of ann" in row["prompt"]:
            raise TimeoutError
        is_bob = "resume of bob" in row["prompt"]
        return {**UPHELD, "verdict": "refuted", "reason": "no shoes"} if is_bob else UPHELD

    result = play(RESUMES, file, 2, model=model, inquire=lambda inquiry: "can dance")
    found = result.value

    assert (found.rubric, found.invited) == ("can dance", ["cyd", "dan"])
    assert [(doubt.id, doubt.why) for doubt in found.doubted] == [("bob", ["no shoes"] * 3)]
    assert found.unchecked == ["ann"]
    assert (result.status, result.missing) == ("degraded", {"failed": 3})
    assert [row["role"] for row in asked].count("verifier") == 4 * 3


def test_a_verifier_that_failed_speaks_neither_for_nor_against(file: Path) -> None:
    asked: list[Row] = []

    def model(row: Row) -> Any:
        if row["role"] == "judge":
            return Preference(order=tuple(range(len(row["items"]))))
        asked.append(row)
        if len(asked) % 3:
            raise TimeoutError
        return UPHELD

    found = play(RESUMES, file, 4, model=model, in_flight=1).value

    assert len(found.invited) == 4
    assert (found.doubted, found.unchecked) == ([], [])


def test_when_nobody_is_left_the_list_is_short(file: Path) -> None:
    def model(row: Row) -> Any:
        if row["role"] == "judge":
            return Preference(order=tuple(range(len(row["items"]))))
        return {**UPHELD, "verdict": "refuted"}

    found = play(RESUMES, file, 2, model=model).value

    assert (found.invited, len(found.doubted)) == ([], 4)
