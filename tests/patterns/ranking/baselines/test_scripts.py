"""Scripts play alone or side by side, and find the same."""

import numpy as np
import pytest

from commedia.patterns.ranking.baselines.script import (
    Script,
    Shown,
    T,
    beats,
    best_first,
    heights,
    together,
)


def counted(to: int) -> Script[list[bool]]:
    """Ask *to* questions one after the other; return the answers."""
    answers = []
    for number in range(to):
        answers.append((yield from beats(number, to)))
    return answers


def played(script: Script[T]) -> tuple[T, list[list[Shown]]]:
    """Answer that even items win; return what *script* returns, and its rounds."""
    rounds: list[list[Shown]] = []
    try:
        asked = next(script)
        while True:
            rounds.append(asked)
            asked = script.send([(float(one % 2 == 0), 0.5) for one, _ in asked])
    except StopIteration as end:
        return end.value, rounds


@pytest.mark.parametrize("lengths", [[], [0], [3], [1, 4, 0, 2], [2, 2]])
def test_side_by_side_each_gets_its_own_answers(lengths: list[int]) -> None:
    results, rounds = played(together([counted(to) for to in lengths]))

    assert results == [[number % 2 == 0 for number in range(to)] for to in lengths]
    assert len(rounds) == max(lengths, default=0)
    assert [len(asked) for asked in rounds] == [
        sum(to > number for to in lengths) for number in range(len(rounds))
    ]


def test_side_by_side_within_side_by_side() -> None:
    inner = together([counted(2), counted(1)])
    results, rounds = played(together([inner, together([counted(3)])]))

    assert results == [[[True, False], [True]], [[True, False, True]]]
    assert len(rounds) == 3


def test_equal_values_stay_in_their_order() -> None:
    assert best_first([7, 3, 5, 9], [1.0, 2.0, 1.0, np.inf]) == [9, 3, 7, 5]


@pytest.mark.parametrize(("count", "said"), [(0, []), (1, [0.5]), (2, [0.75, 0.25])])
def test_heights_fall_from_one_to_zero(count: int, said: list[float]) -> None:
    assert heights(count).tolist() == said
