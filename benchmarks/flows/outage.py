"""Synthetic evidence of one incident, for the hunt: a chain of three services, one at fault."""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

CHAIN: Final = ("otter", "finch", "mole")
"""Each calls the next."""
AT_FAULT: Final = "mole"
MINUTES: Final = 16
TRACES: Final = 6
"""In each minute; the last two minutes are the incident."""
AT: Final = (MINUTES - 2) * 60.0

Record = dict[str, object]


def write_evidence(folder: Path) -> dict[str, Path]:
    """Write a few hundred rows of logs, spans and metrics into *folder*; returns the files."""
    tables: dict[str, list[Record]] = {"logs": [], "spans": [], "metrics": []}
    for minute in range(MINUTES):
        is_bad = minute * 60 >= AT
        for number in range(TRACES):
            trace, start = f"t{minute:02}{number:02}", minute * 60.0 + number * 9.0
            tables["spans"] += _spans(trace, start, is_bad=is_bad)
            tables["logs"] += _logs(trace, start, number, is_bad=is_bad)
        tables["metrics"] += _metrics(minute, is_bad=is_bad)
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, path in paths.items():
        rows = tables[name]
        pq.write_table(pa.table({key: [row[key] for row in rows] for key in rows[0]}), path)
    return paths


def _spans(trace: str, start: float, *, is_bad: bool) -> list[Record]:
    """Return a trace through the chain; the service at fault burns time of its own."""
    spans: list[Record] = []
    took = 0
    for place in reversed(range(len(CHAIN))):
        service = CHAIN[place]
        took += 1000 + int(start * 13 + place * 7) % 11 * 20
        took += 400_000 if is_bad and service == AT_FAULT else 0
        names = {"trace": trace, "span": f"s{place}", "parent": f"c{place - 1}" if place else None}
        times: Record = {"t_s": start, "duration_us": took}
        spans.append({**names, "service": service, "operation": "serve", **times})
        if place:
            took += 500 + int(start * 5) % 7 * 30
            call = {"trace": trace, "span": f"c{place - 1}", "parent": f"s{place - 1}"}
            called: Record = {"service": CHAIN[place - 1], "operation": f"call {service}"}
            spans.append({**call, **called, "t_s": start, "duration_us": took})
    return spans


def _logs(trace: str, start: float, number: int, *, is_bad: bool) -> list[Record]:
    rows: list[Record] = []
    for place, service in enumerate(CHAIN):
        is_at_fault = is_bad and service == AT_FAULT
        level, message = ("WARN", "is slow") if is_at_fault else ("INFO", "received")
        told: Record = {"level": level, "message": f"order {number} {message}", "trace": trace}
        rows.append({"t_s": start + place, "service": service, **told})
    return rows


def _metrics(minute: int, *, is_bad: bool) -> list[Record]:
    return [
        {
            "t_s": minute * 60.0,
            "service": service,
            "cpu_pct": 96.0
            if is_bad and service == AT_FAULT
            else 10.0 + place + (minute * 7 + place * 3) % 5 / 4,
        }
        for place, service in enumerate(CHAIN)
    ]
