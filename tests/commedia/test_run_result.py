"""What a run came to is said as it is: calls of its last life, and values that are no JSON."""

from typing import Any

import pytest
from runs import echo, play

from commedia.supervisor.run import Run


async def seven(run: Run) -> list[str]:
    return [await run.work(f"part {n}") for n in range(7)]


def test_asked_counts_the_calls_of_the_last_life_simulated_or_not() -> None:
    assert play(seven, model=echo).asked == play(seven, model="sim:ideal").asked == 7


@pytest.mark.parametrize(
    ("value", "odd"),
    [(object(), "object"), ({"a": [1, object()]}, "object"), ({"a": (1, None)}, ""), ({1, 2}, "")],
)
def test_a_value_that_is_no_json_is_said_to_be_shown_as_python_does(value: Any, odd: str) -> None:
    async def script(run: Run) -> Any:
        return value

    notes = play(script).notes

    said = f"the value holds what is no JSON, shown as Python shows it: {odd}"
    assert notes == ((said,) if odd else ())
