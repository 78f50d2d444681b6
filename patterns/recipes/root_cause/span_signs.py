"""What spans show: who worked longer itself, whose calls waited, and which calls vanished."""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .counting import Floats
from .cube import Series, others, quantile, series_of
from .signs import Reading, Sign
from .spans import OUTSIDE, middle

LEAST_SPANS, LEAST_BASELINE = 2, 5
"""One late span may be an accident."""
BETWEEN_WINDOWS = 0.05
"""Variance of a window's median beyond chance, as a share of the variance of one span."""

FLAT = math.log1p(5.0)
"""An edge under five deviations is flat: it speaks against whom all calls should wait for."""

LEAST_CALLERS = 10


@dataclass(frozen=True, slots=True)
class _Shift:
    """How far each window's median lies above the rest of the baseline."""

    strength: Floats
    every: Floats
    """The same for the lower quartile: how far nearly every span was late."""
    added_us: Floats
    spans: Floats
    rows: tuple[int, ...]
    note: str


def read(digest: pa.Table) -> Reading:
    """Return the signs in a span *digest*."""
    with np.errstate(divide="ignore", invalid="ignore"):  # windows without a span of some operation
        within, windows = series_of(digest, "within", ("service", "operation"))
        between, _ = series_of(digest, "between", ("service", "operation", "peer"))
        own, edges = _by_service(within), _by_edge(between)
        burns, starves = _cpu(own, edges, len(windows))
        waits = _waits(edges, len(windows))
        vanish = _vanish(digest, len(windows))
        return {sign.name: sign.read() for sign in (burns, starves, waits, vanish)}


def _shift(series: Series) -> _Shift:
    values = middle(np.array([float(value) for value in series.values]))
    order = np.argsort(values)
    values, counts = values[order], series.counts[:, order]
    rest = others(counts)
    spans, known = counts.sum(axis=1), rest.sum(axis=1)
    usual, high = quantile(values, rest, 0.5), quantile(values, rest, 0.84)
    added = quantile(values, counts, 0.5) - usual
    spread = np.maximum(high - usual, 0.1 * usual + 100.0)
    low = quantile(values, rest, 0.25)
    every = quantile(values, counts, 0.25) - low
    narrow = np.maximum(usual - low, 0.1 * low + 100.0)
    error = np.sqrt(math.pi / 2 / np.maximum(spans, 1) + BETWEEN_WINDOWS)
    fit = (spans >= LEAST_SPANS) & (known >= LEAST_BASELINE)
    score = np.where(fit, added / (spread * error), np.nan)
    floor = np.where(fit, every / (narrow * error), np.nan)
    here = order[np.flatnonzero(counts[0])][::-1][:3]
    note = f"{series.key[1]} {usual[0] / 1e3:.3g} -> {(usual[0] + added[0]) / 1e3:.3g} ms"
    rows = tuple(int(series.rows[i]) for i in here)
    return _Shift(_log(score), _log(floor), np.where(fit, added, np.nan), spans, rows, note)


def _log(score: Floats) -> Floats:
    return np.asarray(np.log1p(np.maximum(score, 0.0)), np.float64)


def _by_service(within: list[Series]) -> dict[str, list[_Shift]]:
    own = defaultdict(list)
    for series in within:
        own[series.key[0]].append(_shift(series))
    return own


def _by_edge(between: list[Series]) -> dict[tuple[str, str], _Shift]:
    """Return the shift of all calls from one service to another, operations by their spans."""
    parts = defaultdict(list)
    for series in between:
        parts[series.key[0], series.key[2]].append(_shift(series))
    edges = {}
    for edge, shifts in parts.items():
        strength = np.array([shift.strength for shift in shifts])
        every = np.array([shift.every for shift in shifts])
        spans = np.array([shift.spans for shift in shifts]) * np.isfinite(strength)
        first = max(shifts, key=lambda shift: np.nan_to_num(shift.strength[0], nan=-1.0))
        edges[edge] = _Shift(
            np.nansum(strength * spans, axis=0) / spans.sum(axis=0),
            np.nansum(every * spans, axis=0) / spans.sum(axis=0),
            np.fmax.reduce([shift.added_us for shift in shifts], axis=0),
            spans.sum(axis=0),
            first.rows,
            f"{edge[0]} to {edge[1]}: {first.note}",
        )
    return edges


def _cpu(
    own: dict[str, list[_Shift]], edges: dict[tuple[str, str], _Shift], windows: int
) -> tuple[Sign, Sign]:
    """Slowness of a service's own: one operation burns time, or all that it does starves."""
    burns, starves = Sign("burns", windows), Sign("starves", windows)
    for service in sorted({*own, *(end for edge in edges for end in edge)} - {OUTSIDE}):
        mine = own.get(service, [])
        around = [shift for edge, shift in edges.items() if service in edge]
        added = np.array([np.nan_to_num(np.fmax(s.added_us, 0.0)) for s in [*mine, *around]])
        total = added.sum(axis=0)
        for shift in mine:
            alone = np.nan_to_num(np.fmax(shift.added_us, 0.0)) > total / 2
            alone &= shift.spans >= LEAST_BASELINE
            burning = np.where(alone, shift.strength, 0 * shift.strength)
            burns.add(service, burning, shift.rows, shift.note)
            starves.add(service, shift.strength, shift.rows, shift.note)
        for shift in [_incident_edges(service, edges)] if around else []:
            starves.add(service, shift.strength, shift.rows, shift.note)
    return burns, starves


def _waits(edges: dict[tuple[str, str], _Shift], windows: int) -> Sign:
    """Whose calls all wait: an edge that waits speaks for either end, a flat one against both."""
    sign = Sign("calls wait", windows)
    for service in sorted({end for edge in edges for end in edge} - {OUTSIDE}):
        shift = _incident_edges(service, edges)
        sign.add(service, shift.every, shift.rows, shift.note)
    return sign


def _incident_edges(service: str, edges: dict[tuple[str, str], _Shift]) -> _Shift:
    into = [shift for edge, shift in edges.items() if edge[1] == service]
    out = [shift for edge, shift in edges.items() if edge[0] == service]
    first = max([*into, *out], key=lambda shift: np.nan_to_num(shift.strength[0], nan=-1.0))
    return _Shift(
        _both_ways([s.strength for s in into], [s.strength for s in out]),
        _both_ways([s.every for s in into], [s.every for s in out]),
        first.added_us,
        first.spans,
        first.rows,
        first.note,
    )


def _both_ways(into: list[Floats], out: list[Floats]) -> Floats:
    """Add up the edges: a service's answers always are late, its own calls may be as well."""
    if not into or not out:
        return _together(into or out)
    return _together(into) + np.fmax(np.nan_to_num(_together(out)), 0.0)


def _together(strengths: list[Floats]) -> Floats:
    above = np.array(strengths) - FLAT
    return np.where(np.isnan(above).all(axis=0), np.nan, np.nansum(above, axis=0))


def _vanish(digest: pa.Table, windows: int) -> Sign:
    """Calls that an operation used to make and makes no more."""
    sign = Sign("calls vanish", windows)
    spans, _ = series_of(digest, "spans", ("service", "operation"))
    callers = {series.key: series for series in spans}
    calls, _ = series_of(digest, "calls", ("service", "operation", "peer"))
    for series in calls:
        caller = callers[series.key[:2]]
        count = caller.counts.sum(axis=1)
        known = others(caller.counts).sum(axis=1)
        for column, callee in enumerate(series.values):
            made = series.counts[:, column]
            usual = others(series.counts)[:, column] / known
            due = usual * count
            score = (due - made) / np.sqrt(due * (1 - usual) + 1)
            score = np.where((known >= LEAST_CALLERS) & (count > 0), score, np.nan)
            note = f"{series.key[1]} calls {callee} {made[0]:.0f} times where {due[0]:.0f} were due"
            sign.add(series.key[0], _log(score), tuple(map(int, caller.rows[:1])), note)
    return sign
