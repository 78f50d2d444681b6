"""The outputs of an evaluation: read from columns, or made by commands."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from .eval_clock import EvalClock
from .eval_commands import UNSAFE, Errand, Made, run_all
from .evals import EvalJob, outputs_in
from .outputs import write_table
from .supervisor.progress import RunProgress

OUTPUTS_FILE: Final = "outputs.parquet"

Watch = Callable[[RunProgress], None]

_STEPS: Final = 10
"""How often it is told how many commands are done."""


@dataclass(slots=True)
class Outputs:
    """What each system made of each item: *made* is (items, systems) of them, row by row."""

    made: list[list[Made]]
    checks: dict[str, int] = field(default_factory=dict)
    """How often a function that checks failed, by what it raised."""

    @property
    def there(self) -> list[tuple[int, int]]:
        """The item and system of each output that there is, item by item."""
        return [
            (item, system)
            for item, row in enumerate(self.made)
            for system, made in enumerate(row)
            if made.text is not None
        ]

    def text(self, item: int, system: int) -> str:
        """Return an output that there is."""
        text = self.made[item][system].text
        assert text is not None
        return text


async def make_outputs(job: EvalJob, folder: Path, watch: Watch, clock: EvalClock) -> Outputs:
    """Return all outputs: those in columns, and those that commands make, or have made before."""
    ids = job.prepared.ids
    columns = [
        outputs_in(job.prepared.frame, each.column) if each.column is not None else None
        for each in job.systems
    ]
    errands = [
        Errand(each.name, id, each.argv, prompt, f"{number}-{row}")
        for row, (id, prompt) in enumerate(zip(ids, job.prepared.texts, strict=True))
        for number, each in enumerate(job.systems)
        if each.argv is not None
    ]
    made: Mapping[tuple[str, str], Made] = {}
    if errands:
        tell = _teller(job, watch)
        tell(UNSAFE)
        async with clock.running():
            made = await run_all(
                errands,
                folder,
                timeout_s=job.timeout_s,
                at_once=job.at_once,
                clock=clock,
                tell=lambda done, all_, failed: _tell_at_times(tell, done, all_, failed),
            )

    def made_of(row: int, number: int) -> Made:
        column = columns[number]
        if column is None:
            return made[job.systems[number].name, ids[row]]
        text = column[row]
        return Made(text) if text is not None else Made(cause="blank")

    places = range(len(job.systems))
    return Outputs([[made_of(row, number) for number in places] for row in range(len(ids))])


def _teller(job: EvalJob, watch: Watch) -> Callable[[str], None]:
    """Return what tells a line while commands run."""
    began = time.monotonic()

    def tell(line: str) -> None:
        watch(
            RunProgress(
                phase="Outputs",
                rounds=0,
                calls=0,
                expected_calls=None,
                tokens=0,
                cost_usd=0.0,
                predicted_tau=None,
                missing=0,
                elapsed_s=time.monotonic() - began,
                simulated=job.model.is_simulated,
                model=job.model.name,
                said=(line,),
            )
        )

    return tell


def _tell_at_times(tell: Callable[[str], None], done: int, all_: int, failed: int) -> None:
    if done == all_ or done % max(all_ // _STEPS, 1) == 0:
        lost = f", {failed:,} failed" if failed else ""
        tell(f"outputs: {done:,} of {all_:,} commands done{lost}")


def keep_outputs(job: EvalJob, outputs: Outputs, folder: Path) -> None:
    """Write into *folder* what there is and what is missing, and why."""
    rows = [
        (id, name, made.text, made.cause, made.said)
        for id, row in zip(job.prepared.ids, outputs.made, strict=True)
        for name, made in zip(job.names, row, strict=True)
    ]
    names = ("item", "system", "output", "cause", "said")
    columns = {
        name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)
    }
    write_table(pa.table(columns), str(folder / OUTPUTS_FILE))
