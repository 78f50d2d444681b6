"""A small system of three services with evidence of its own, into which a test puts one fault."""

from dataclasses import dataclass, field

import pyarrow as pa

from commedia.patterns.recipes.root_cause.digests import DIGEST, READ
from commedia.patterns.recipes.root_cause.evidence import Kind, Windows, normalise, number_rows
from commedia.patterns.recipes.root_cause.panel import Witness

MINUTES = 24
TRACES = 12
"""In each minute; the last two minutes are the incident."""

AT = (MINUTES - 2) * 60.0
CHAIN = ("otter", "finch", "mole")
"""Each calls the next, and the first another, which is never at fault."""


@dataclass
class Outage:
    """Evidence of a system whose service *at_fault* has *fault* in the last two minutes."""

    fault: str = ""
    at_fault: str = "finch"
    logs: list[dict[str, object]] = field(default_factory=list)
    spans: list[dict[str, object]] = field(default_factory=list)
    metrics: list[dict[str, object]] = field(default_factory=list)

    def tables(self) -> dict[Kind, pa.Table]:
        for minute in range(MINUTES):
            bad = minute * 60 >= AT
            for number in range(TRACES):
                self._trace(minute, number, bad)
            for place, service in enumerate(CHAIN):
                cpu = 10.0 + place + (minute * 7 + place * 3) % 5 / 4
                if bad and service == self.at_fault and self.fault.startswith("cpu"):
                    cpu = 96.0
                self.metrics.append({"t_s": minute * 60.0, "service": service, "cpu_pct": cpu})
        rows = {"logs": self.logs, "spans": self.spans, "metrics": self.metrics}
        return {kind: number_rows(_table(of)) for kind, of in rows.items()}  # type: ignore[misc]

    def _trace(self, minute: int, number: int, bad: bool) -> None:
        start = minute * 60.0 + number * 4.5
        trace = f"t{minute:02}{number:02}"
        took = 0
        self._span(trace, "w", "cw", "wren", "serve", start, 900)
        self._span(trace, "cw", "s0", CHAIN[0], "call wren", start, 1400 + number * 20)
        for place in reversed(range(len(CHAIN))):
            service = CHAIN[place]
            hit = bad and service == self.at_fault
            own = 1000 + (minute * 13 + number * 7 + place) % 11 * 20
            own += 400_000 if hit and self.fault == "cpu_consumed" else 0
            took += own + (90_000 if hit and self.fault == "cpu_contention" else 0)
            up = f"c{place - 1}" if place else None
            self._span(trace, f"s{place}", up, service, "serve", start, took)
            if place:
                wait = 500 + (minute * 5 + number * 3) % 7 * 30
                slow = self.fault in ("network_delay", "cpu_contention")
                wait += 150_000 if hit and slow else 0
                took += wait
                caller = CHAIN[place - 1]
                call = f"call {service}"
                self._span(trace, f"c{place - 1}", f"s{place - 1}", caller, call, start, took)
        for place, service in enumerate(CHAIN):
            hit = bad and service == self.at_fault
            self._log(start + place, service, "INFO", f"order {number} received", trace)
            if hit and self.fault == "exception":
                return  # nothing after it is reached
            if hit and self.fault == "return":
                self._log(start + place, service, "ERROR", f"no stock for order {number}", trace)
            else:
                self._log(start + place, service, "INFO", f"order {number} checked", trace)

    def _span(
        self,
        trace: str,
        span: str,
        parent: str | None,
        service: str,
        operation: str,
        start: float,
        took: int,
    ) -> None:
        names = {"trace": trace, "span": span, "parent": parent, "service": service}
        self.spans.append({**names, "operation": operation, "t_s": start, "duration_us": took})

    def _log(self, at: float, service: str, level: str, message: str, trace: str) -> None:
        row = {"t_s": at, "service": service, "level": level, "message": message, "trace": trace}
        self.logs.append(row)


def _table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.table({name: [row[name] for row in rows] for name in rows[0]})


def look(tables: dict[Kind, pa.Table]) -> list[Witness]:
    """Return what each table shows."""
    return [
        Witness(kind, kind, READ[kind](DIGEST[kind](normalise(kind, kind, table, Windows(AT)))))
        for kind, table in tables.items()
    ]


def outage(fault: str = "", at_fault: str = "finch") -> dict[Kind, pa.Table]:
    """Make the evidence of one incident."""
    return Outage(fault, at_fault).tables()
