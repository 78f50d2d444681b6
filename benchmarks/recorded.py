"""Incidents recorded in two microservice systems (Nezha, FSE 2023), each with what was injected.

Every case is given its own logs, spans and metrics from the injection on, and as the baseline the
minutes before it, those before the system's other injections, its fault-free case and its
fault-free metrics. The columns that hold the truth are read for scoring only.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..patterns.recipes.root_cause.counting import Floats
from ..patterns.recipes.root_cause.digests import DIGEST, READ
from ..patterns.recipes.root_cause.errors import EvidenceError
from ..patterns.recipes.root_cause.evidence import (
    Kind,
    Windows,
    check_windows,
    normalise,
    number_rows,
)
from ..patterns.recipes.root_cause.panel import Witness

KINDS: tuple[Kind, ...] = ("logs", "spans", "metrics")

LEAD_S, TAIL_S = 900.0, 600.0
"""Metrics of the fault's own day are taken from so long before it until so long after."""


@dataclass(frozen=True, slots=True)
class Incident:
    """What an investigator is given: evidence and a time, without the truth."""

    at: float
    evidence: Mapping[Kind, pa.Table]


@dataclass(frozen=True, slots=True)
class Truth:
    """What was injected."""

    case: str
    system: str
    service: str
    fault: str


def cases(folder: Path, most: int | None = None) -> Iterator[tuple[Truth, Incident]]:
    """Yield the truth and the evidence of every case in *folder*, or of *most*, day by day."""
    paths = sorted(folder.glob("*_cases.jsonl"))
    records = {path: [json.loads(line) for line in path.read_text().splitlines()] for path in paths}
    total = sum(len(day) for day in records.values())
    step = 1 if most is None else -(-total // most)
    number = -1
    for path, day in records.items():
        name = path.name.removesuffix("_cases.jsonl")
        clock = {record["case_id"]: float(record["inject_unix"]) for record in day}
        tables = _Day(folder, name, clock)
        for record in day:
            number += 1
            if number % step == 0:
                case = record["case_id"]
                truth = Truth(case, name, record["root_cause_service"], record["fault_type"])
                yield truth, Incident(clock[case], tables.evidence(case))


class _Day:
    """The recorded tables of one day of one system."""

    def __init__(self, folder: Path, name: str, clock: Mapping[str, float]) -> None:
        self._clock = clock
        self._tables = {kind: pq.read_table(folder / f"{name}_{kind}.parquet") for kind in KINDS}
        self._names = {
            kind: np.array(self._tables[kind]["case_id"].to_pylist()) for kind in ("logs", "spans")
        }
        metrics = self._tables["metrics"]
        self._faulty = pc.equal(metrics["phase"], "fault_day").to_numpy()
        keys = zip(metrics["service"].to_pylist(), metrics["unix"].to_pylist(), strict=True)
        places = list(keys)
        doubtful = {place for place, bad in zip(places, self._faulty, strict=True) if bad}
        self._clean = np.array([place not in doubtful for place in places])

    def evidence(self, case: str) -> dict[Kind, pa.Table]:
        """Return what an investigator of *case* is given."""
        return {
            "logs": self._rows("logs", case),
            "spans": self._rows("spans", case),
            "metrics": self._metrics(self._clock[case]),
        }

    def _rows(self, kind: Kind, case: str) -> pa.Table:
        """Return the rows of *case*, and as its baseline what came before other injections."""
        table, names = self._tables[kind], self._names[kind]
        after = table["t_s"].to_numpy()
        first = next(iter(self._clock.values()))  # the fault-free case has no injection
        known, which = np.unique(names, return_inverse=True)
        unix = np.array([self._clock.get(name, first) for name in known.tolist()])[which] + after
        own = names == case
        fault_free = ~np.isin(known, list(self._clock))[which]
        kept = own | (after < 0) | fault_free
        return _numbered(table.drop_columns(["case_id", "minute", "t_s"]), unix, ~own, kept)

    def _metrics(self, at: float) -> pa.Table:
        """Return the fault's own day around it, and as its baseline the fault-free phase.

        Rows of the fault-free phase that the day of faults has as well are not fault-free.
        """
        table, own = self._tables["metrics"], self._faulty
        unix = table["unix"].to_numpy().astype(np.float64)
        kept = np.where(own, (unix >= at - LEAD_S) & (unix < at + TAIL_S), self._clean)
        return _numbered(table.drop_columns(["phase", "unix"]), unix, ~own, kept)


def _numbered(
    table: pa.Table, unix: Floats, baseline: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> pa.Table:
    table = table.append_column("unix", pa.array(unix))
    table = table.append_column("baseline", pa.array(baseline))
    return number_rows(table.filter(pa.array(kept)))


def look(incident: Incident, rows: Mapping[Kind, pa.Table] | None = None) -> list[Witness]:
    """Return what each kind of evidence shows; one without rows on both sides shows nothing."""
    seen = []
    for kind, table in (rows or incident.evidence).items():
        part = normalise(kind, kind, table, Windows(incident.at))
        try:
            check_windows(kind, kind, part)
        except EvidenceError:
            continue
        seen.append(Witness(kind, kind, READ[kind](DIGEST[kind](part))))
    return seen
