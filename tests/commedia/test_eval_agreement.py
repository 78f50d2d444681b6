"""Agreement with labels: a judge that knows nothing gets what chance gives, whoever met."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from evaluations import Judge, evaluate


def labelled(labels: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return as many items, each with its label."""
    known = [
        {"q": f"question {n}", "a": f"plain {n}", "b": f"good {n}"} for n in range(len(labels))
    ]
    return [{**row, "best": label} for row, label in zip(known, labels, strict=True)]


@pytest.mark.parametrize("check", [None, True])
def test_agreement_is_the_share_of_pairs_in_which_the_labels_system_is_preferred(
    check: bool | None,
) -> None:
    items = labelled([*["new"] * 8, "old", "old", "tie", None])
    result = evaluate(items, Judge("plain", "good"), labels="best", check=check)

    found = result.agreement
    assert found is not None
    assert (found["items"], found["share"], found["chance"]) == (10, 0.8, 0.5)
    assert found["low"] < 0.8 < found["high"] < 1.0
    assert any("preferred in 80% of" in line and "chance 50%" in line for line in result.lines())


def test_ties_agree_with_a_label_by_half() -> None:
    result = evaluate(labelled(["new"] * 12), lambda row: {"verdict": "tie"}, labels="best")

    assert result.agreement is not None and result.agreement["share"] == 0.5


def test_a_judge_that_knows_nothing_agrees_with_labels_at_the_level_of_chance() -> None:
    """Whatever pairs the schedule gave it: nine equal systems, few of which meet on an item."""
    rng = np.random.default_rng(5)
    names = [f"s{n}" for n in range(9)]
    held, shares = [], []
    for seed in range(10):
        items = [
            {"q": f"question {n}", "best": names[rng.integers(9)], **dict.fromkeys(names, f"x{n}")}
            for n in range(60)
        ]
        result = evaluate(
            items,
            systems={name: name for name in names},
            quality=dict.fromkeys(names, 0.0),
            labels="best",
            seed=seed,
            budget="300agents",
        )
        assert result.agreement is not None
        shares.append(result.agreement["share"])
        held.append(result.agreement["low"] <= 0.5 <= result.agreement["high"])

    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)
    assert sum(held) >= 7


def test_labels_of_systems_that_nobody_was_asked_about_are_said_to_be_none() -> None:
    items = [{**row, "b": None if n else row["b"]} for n, row in enumerate(labelled([None] * 12))]
    items[5]["best"] = "old"
    result = evaluate(items, Judge("plain", "good"), labels="best")

    assert result.agreement == {"items": 0, "pairs": 0, "chance": 0.5}
    assert any("no verdict is on the system" in line for line in result.lines())
