"""The root-cause hunt on recorded incidents: `python -m commedia.benchmarks.incidents`.

The 52 faults of `recorded.py`: what the analysts make of each, beside what they make of a part of
the evidence, and beside the recipe as it is shipped, on files.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..patterns.recipes.root_cause.answers import FAULTS, Report
from ..patterns.recipes.root_cause.counting import stack
from ..patterns.recipes.root_cause.evidence import Kind, number_rows
from ..patterns.recipes.root_cause.panel import Witness
from ..patterns.recipes.root_cause.synthesis import exists, hunt
from .command import folder as temporary_folder
from .recorded import KINDS, LEAD_S, Incident, Truth, cases, look
from .rows import Row, at_least, render
from .shipped import agreement

DATA = Path(__file__).parents[2] / "shared" / "data"
CONTEXT_CHARS = 30_000
NEAREST, SPREAD, FREE = "nearest rows", "spread rows", "spread rows + whole baseline free"
CONTEXTS = (NEAREST, SPREAD, FREE)
DELAY_US, DELAYED_STEP, DELAYED_SPAN_S, LEAST_SPANS = 100_000, 4, 150.0, 20
"""Simulated delays: how late, at every which service, of so many seconds before the injection."""

HEADER = """\
Root causes of 52 injected faults, RECORDED; no model was asked. Deterministic analysts, one a kind
of evidence; a panel of the others; one ranked synthesis. Scored by what was injected."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one report compares with the truth: *rank* is 0 where the service is not listed."""

    truth: Truth
    rank: int
    kind_right: bool
    named: bool

    @property
    def right(self) -> bool:
        """Whether the first cause is the right service."""
        return self.rank == 1

    @property
    def in_three(self) -> bool:
        """Whether the right service is among the first three."""
        return 1 <= self.rank <= 3


@dataclass(slots=True)
class Measured:
    """All cases: the witnesses of each, and what was made of the raw rows in one context."""

    truths: list[Truth] = field(default_factory=list)
    witnesses: list[list[Witness]] = field(default_factory=list)
    contexts: dict[str, list[list[Witness]]] = field(default_factory=dict)
    sizes: list[dict[str, int]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def one_context(incident: Incident, how: str) -> dict[Kind, pa.Table]:
    """Return the raw rows, interleaved by time, that fit one context.

    Half of it is from the incident on and half from before: the rows nearest to its beginning, or
    some at equal distances. `FREE` gives all of it to the incident, and the baseline for nothing.
    """
    lines: list[tuple[bool, float, Kind, int, int]] = []
    for kind, table in incident.evidence.items():
        after = table["unix"].to_numpy() - incident.at
        before = table["baseline"].to_numpy() | (after < 0)
        far = np.abs(after).tolist()
        chars = _chars(table.drop_columns(["baseline", "row"]))
        lines += zip(before.tolist(), far, repeat(kind), range(len(far)), chars, strict=False)
    kept: dict[Kind, list[int]] = {kind: [] for kind in incident.evidence}
    for side in (False, True):
        room = CONTEXT_CHARS if how == FREE else CONTEXT_CHARS // 2
        part = sorted(line for line in lines if line[0] is side)
        total = sum(line[4] for line in part)
        if how == FREE and side:
            room = total
        for _, _, kind, number, size in part[:: 1 if how == NEAREST else max(1, -(-total // room))]:
            room -= size
            if room < 0:
                break
            kept[kind].append(number)
    return {k: t.take(pa.array(sorted(kept[k]), pa.int64())) for k, t in incident.evidence.items()}


def _chars(table: pa.Table) -> list[int]:
    """Return how long each row is as a line of text, its values separated by commas."""
    size = np.full(table.num_rows, table.num_columns, np.int64)
    for column in table.columns:
        text = pc.utf8_length(pc.fill_null(column.cast(pa.string()), ""))
        size += text.to_numpy()
    return [int(one) for one in size]


def measure(folder: Path, most: int | None = None, contexts: Sequence[str] = CONTEXTS) -> Measured:
    """Look at every case in *folder*, or at *most* of them at equal distances."""
    found = Measured(contexts={name: [] for name in contexts})
    for truth, incident in cases(folder, most):
        start = time.perf_counter()
        found.witnesses.append(look(incident))
        found.seconds.append(time.perf_counter() - start)
        found.truths.append(truth)
        found.sizes.append({kind: table.num_rows for kind, table in incident.evidence.items()})
        for name, looked in found.contexts.items():
            looked.append(look(incident, one_context(incident, name)))
    return found


def judge(
    found: Measured, looked: Sequence[Sequence[Witness]], kinds: Sequence[Kind] = KINDS
) -> list[Outcome]:
    """Return the outcomes when only *kinds* of what was *looked* at are heard."""
    return [
        _outcome(truth, [w for w in witnesses if w.kind in kinds], sizes)
        for truth, witnesses, sizes in zip(found.truths, looked, found.sizes, strict=True)
    ]


def _outcome(truth: Truth, witnesses: Sequence[Witness], sizes: Mapping[str, int]) -> Outcome:
    report = hunt(witnesses, sizes)
    services = [cause.service for cause in report.causes]
    rank = services.index(truth.service) + 1 if truth.service in services else 0
    kind_right = rank == 1 and report.causes[0].kind == truth.fault
    return Outcome(truth, rank, kind_right, report.named)


def table(found: Measured) -> list[Row]:
    """Return every figure beside its bar."""
    every = judge(found, found.witnesses)
    named = [one for one in every if one.named]
    return [
        at_least("right service first", _share(every, "right"), 0.75, ".3f"),
        at_least("right service in the first three", _share(every, "in_three"), 0.90, ".3f"),
        at_least("right service and kind of fault", _share(every, "kind_right"), 0.70, ".3f"),
        at_least("share of cases in which it names a cause", len(named) / len(every), 0.4, ".3f"),
        at_least("of those it names, right", _share(named, "right"), 0.9, ".3f"),
        *_faithful(found),
        *_slices(every),
        *_mixes(every),
        *_kinds_of_evidence(found),
        Row("CPU of a case, mean (no bar)", f"{np.mean(found.seconds):.2f} s"),
    ]


def _faithful(found: Measured) -> list[Row]:
    """Cited rows exist, and the order of the analysts changes nothing."""
    cited = wrong = changed = 0
    for witnesses, sizes in zip(found.witnesses, found.sizes, strict=True):
        report: Report = hunt(witnesses, sizes)
        rows = [row for cause in report.causes for row in cause.rows]
        cited += len(rows)
        wrong += sum(not exists(row, row.partition(":")[0], sizes) for row in rows)
        wrong += len(report.rejected)
        changed += report != hunt(witnesses[::-1], sizes)
    return [
        Row(f"of {cited:,} cited rows, not in the evidence", f"{wrong}", "0", wrong == 0),
        Row("cases that another order of analysts changes", f"{changed}", "0", changed == 0),
    ]


def _slices(every: Sequence[Outcome]) -> list[Row]:
    rows = []
    for fault in FAULTS:
        part = [one for one in every if one.truth.fault == fault]
        if part:
            rows.append(_row(f"{fault}, {len(part)} cases", part))
    for system in sorted({one.truth.system for one in every}):
        part = [one for one in every if one.truth.system == system]
        rows.append(_row(f"{system}, {len(part)} cases", part))
    return rows


def _mixes(every: Sequence[Outcome]) -> list[Row]:
    """What other mixes of the same faults would score."""
    by_fault = {
        fault: np.mean([one.right for one in every if one.truth.fault == fault])
        for fault in sorted({one.truth.fault for one in every})
    }
    rows = [Row("every kind of fault alike: first", f"{np.mean(list(by_fault.values())):.3f}")]
    if "network_delay" in by_fault and len(by_fault) > 1:
        rest = np.mean([share for fault, share in by_fault.items() if fault != "network_delay"])
        mixed = 0.7 * by_fault["network_delay"] + 0.3 * rest
        rows.append(Row("seven in ten a network_delay: first", f"{mixed:.3f}"))
    return rows


def _kinds_of_evidence(found: Measured) -> list[Row]:
    rows = []
    for kind in KINDS:
        rest = [other for other in KINDS if other != kind]
        rows.append(_row(f"without {kind}", judge(found, found.witnesses, rest)))
    for kind in KINDS:
        rows.append(_row(f"{kind} alone", judge(found, found.witnesses, [kind])))
    for name, looked in found.contexts.items():
        rows.append(
            _row(f"one context of {CONTEXT_CHARS:,} characters, {name}", judge(found, looked))
        )
    return rows


def _row(name: str, part: Sequence[Outcome]) -> Row:
    shares = (_share(part, of) for of in ("right", "in_three", "kind_right"))
    return Row(f"{name}: first / in three / kind", " / ".join(f"{share:.2f}" for share in shares))


def _share(part: Sequence[Outcome], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in part])) if part else 0.0


def delayed(folder: Path) -> list[Outcome]:
    """Return the outcomes of SIMULATED delays, 100 ms on the calls of one service at a time.

    They are put into recorded spans from before an injection; nothing else shows anything.
    """
    outcomes = []
    for truth, incident in islice(cases(folder), 0, None, 3):
        spans = incident.evidence["spans"]
        early = ~spans["baseline"].to_numpy() & (spans["unix"].to_numpy() < incident.at - 15)
        before = spans.filter(pa.array(early))
        rest = spans.filter(spans["baseline"])
        names, counts = np.unique(before["service"].to_pylist(), return_counts=True)
        for service in names[counts >= LEAST_SPANS][::DELAYED_STEP].tolist():
            unix = pa.array(before["unix"].to_numpy() + LEAD_S)
            moved = _late(before.drop_columns(["unix"]).append_column("unix", unix), service)
            rows = stack([moved.select(rest.column_names), rest])
            rows = number_rows(rows.drop_columns(["row"]))
            looked = look(Incident(incident.at + LEAD_S - DELAYED_SPAN_S, {"spans": rows}))
            wanted = Truth(truth.case, truth.system, service, "network_delay")
            outcomes.append(_outcome(wanted, looked, {"spans": rows.num_rows}))
    return outcomes


def _late(spans: pa.Table, service: str) -> pa.Table:
    """Make the calls to *service* late, or those from it where nobody calls it."""
    traces, services = spans["trace"].to_pylist(), spans["service"].to_pylist()
    place = {key: i for i, key in enumerate(zip(traces, spans["span"].to_pylist(), strict=True))}
    parent = [place.get(k) for k in zip(traces, spans["parent"].to_pylist(), strict=True)]
    calls = [(p, i) for i, p in enumerate(parent) if p is not None and services[p] != services[i]]
    into = [p for p, i in calls if services[i] == service]
    took = spans["duration_us"].to_numpy().copy()
    for call in into or [p for p, _ in calls if services[p] == service]:
        above: int | None = call
        while above is not None:
            took[above] += DELAY_US
            above = parent[above] if parent[above] != above else None
    return spans.drop_columns(["duration_us"]).append_column("duration_us", pa.array(took))


def incidents(folder: Path = DATA / "incidents_nezha") -> list[Row]:
    """The root-cause hunt on 52 injected faults, deterministic analysts."""
    if not folder.is_dir():
        return [Row(f"skipped: there is no {folder}", "")]
    delays = _row("SIMULATED delays, spans alone", delayed(folder))
    return [*table(measure(folder)), *agreement(folder), delays]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every figure and its bar; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser("python -m commedia.benchmarks.incidents", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA / "incidents_nezha")
    os.environ["COMMEDIA_HOME"] = str(temporary_folder())  # no run of these is anybody's
    warnings.simplefilter("ignore", UserWarning)  # degraded runs: evidence without rows
    rows = incidents(parser.parse_args(arguments).data)
    sys.stdout.write(HEADER + "\n")
    sys.stdout.write(render("incidents: root causes of injected faults", rows) + "\n")
    return int(any(row.ok is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
