"""What logs show: lines that used to follow and do not, errors and exceptions at their origin."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .counting import Floats
from .cube import Series, others, series_of
from .logs import ERROR_LEVELS, has_exception, split
from .signs import Reading, Sign

Line = tuple[str, ...]
"""A service and one of its templates."""

LEAST_BASELINE = 10
USUAL = 0.5
"""A line follows another usually when it does so in half of the baseline."""

EXPLAINS = 0.7
"""A line that vanished explains the later ones that vanished hardly more."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """In how many traces of each window one line came soon after another, and a row of it."""

    counts: Floats
    row: int


@dataclass(frozen=True, slots=True)
class _Miss:
    """How much each window misses a line."""

    strength: Floats
    row: int
    note: str


def read(digest: pa.Table) -> Reading:
    """Return the signs in a log *digest*."""
    with np.errstate(divide="ignore", invalid="ignore"):  # windows without a line of some template
        present, windows = series_of(digest, "traces", ("service", "template"))
        follows, _ = series_of(digest, "follows", ("service", "template"))
        later, _ = series_of(digest, "after", ("service", "template"))
        errors, exceptions = _errors(present, {s.key: s for s in later}, len(windows))
        vanish = _vanish(present, follows, len(windows))
        _explain(exceptions, vanish, _callees(present, follows))
        return {sign.name: sign.read() for sign in (vanish, errors, exceptions)}


def _vanish(present: list[Series], follows: list[Series], windows: int) -> Sign:
    """Lines that do not follow the line that they usually follow, at the first such of a trace."""
    traces = {series.key: series.counts.sum(axis=1) for series in present}
    after = _followers(follows)
    missing = {line: _missing(line, after[line], traces) for line in sorted(after)}
    sign = Sign("lines vanish", windows)
    for line, miss in missing.items():
        if miss is None:
            continue
        strength = miss.strength
        for earlier, pair in after[line].items():
            cause = missing.get(earlier)
            if earlier[0] == line[0] or cause is None or not _is_usual(pair, traces[earlier]):
                continue
            explained = (cause.strength > 0) & (cause.strength >= EXPLAINS * miss.strength)
            strength = np.where(explained, 0.0, strength)
        sign.add(line[0], strength, (miss.row,), miss.note)
    return sign


def _followers(follows: list[Series]) -> dict[Line, dict[Line, _Pair]]:
    """Return for each line those that it comes soon after."""
    after: dict[Line, dict[Line, _Pair]] = defaultdict(dict)
    for series in follows:
        for column, value in enumerate(series.values):
            pair = _Pair(series.counts[:, column], int(series.rows[column]))
            after[split(value)][series.key] = pair
    return after


def _is_usual(pair: _Pair, traces: Floats) -> bool:
    return bool(pair.counts[1:].sum() >= USUAL * traces[1:].sum())


def _missing(
    line: Line, after: Mapping[Line, _Pair], traces: Mapping[Line, Floats]
) -> _Miss | None:
    """Return how much *line* is missed after the line that it goes with best in the baseline."""
    mine = float(traces[line][1:].sum())
    best, anchor = 0.0, None
    for earlier, pair in sorted(after.items()):
        both, other = float(pair.counts[1:].sum()), float(traces[earlier][1:].sum())
        if other < LEAST_BASELINE or both < USUAL * other:
            continue
        fit = 2 * both / (mine + other)
        if fit > best:
            best, anchor = fit, earlier
    if anchor is None:
        return None
    pair, count = after[anchor], traces[anchor]
    usual = others(pair.counts) / others(count)
    due = usual * count
    score = (due - pair.counts) / np.sqrt(due * (1 - usual) + 1)
    strength = np.where(count > 0, np.log1p(np.maximum(score, 0.0)), np.nan)
    note = f"{line[1]!r} came {pair.counts[0]:.0f} times where {due[0]:.0f} were due"
    return _Miss(strength, pair.row, note)


def _explain(exceptions: Sign, vanish: Sign, callees: Mapping[str, set[str]]) -> None:
    """Take from services the exceptions that lines missing in a service they call explain."""
    for service, strength in exceptions.strength.items():
        for callee in sorted(callees.get(service, set()) & vanish.strength.keys()):
            cause = np.nan_to_num(vanish.strength[callee])
            explained = (cause > 0) & (cause >= EXPLAINS * strength)
            exceptions.strength[service] = strength = np.where(explained, 0.0, strength)


def _callees(present: list[Series], follows: list[Series]) -> dict[str, set[str]]:
    """Return for each service the others whose lines usually come soon after its own, onwards."""
    traces = {series.key: series.counts.sum(axis=1) for series in present}
    found: dict[str, set[str]] = defaultdict(set)
    for series in follows:
        for column, value in enumerate(series.values):
            callee = split(value)[0]
            pair = _Pair(series.counts[:, column], 0)
            if callee != series.key[0] and _is_usual(pair, traces[series.key]):
                found[series.key[0]].add(callee)
    for middle in sorted(found):
        for service in sorted(found):
            if middle in found[service]:
                found[service] |= found[middle] - {service}
    return dict(found)


def _errors(present: list[Series], later: Mapping[Line, Series], windows: int) -> tuple[Sign, Sign]:
    """Errors that are more than usual, less those that came after another service's."""
    errors, exceptions = Sign("errors", windows), Sign("exceptions", windows)
    busy = _busy(present, windows)
    for service in busy:
        for sign in (errors, exceptions):
            sign.add(service, np.where(busy[service] > 0, 0.0, np.nan), (), "no errors")
    for series in present:
        columns = [level in ERROR_LEVELS for level in series.values]
        if not any(columns):
            continue
        service, template = series.key
        seen = series.counts[:, np.array(columns)].sum(axis=1)
        if series.key in later:
            seen = seen - later[series.key].counts.sum(axis=1)
        traces = busy[service]
        due = others(seen) / others(traces) * traces
        score = np.log1p(np.maximum((seen - due) / np.sqrt(due + 1), 0))
        score = np.where(others(traces) >= LEAST_BASELINE, score, np.nan)
        rows = tuple(int(row) for row in series.rows[series.counts[0] > 0][:3])
        note = f"{template!r} came {seen[0]:.0f} times where {due[0]:.1f} were due"
        (exceptions if has_exception(template) else errors).add(service, score, rows, note)
    return errors, exceptions


def _busy(present: list[Series], windows: int) -> dict[str, Floats]:
    """Return how many traces each service's most common line has in each window."""
    busy: dict[str, Floats] = defaultdict(lambda: np.zeros(windows))
    for series in present:
        busy[series.key[0]] = np.fmax(busy[series.key[0]], series.counts.sum(axis=1))
    return dict(busy)
