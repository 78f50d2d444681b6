"""What metrics show: the processor, of each service against its own past.

A metric's part is told by its name; only those of the processor are read so far. A change counts as
far as it stands out both from the whole baseline and from the last ten minutes of it, so that a
level which moved long before is no sign.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .counting import Floats, Ints, codes, group, ints
from .cube import places, window_list
from .signs import Reading, Sign

PARTS = {
    "cpu rises": r"^(?!.*(node|host)).*cpu",
}

RECENT = 10
"""So many of the last baseline windows are what the incident is compared with as well."""

LEAST_WINDOWS = 5
_SMALL = 0.05
"""A change within a twentieth of the usual level, here or at the busiest service, is none."""


@dataclass(slots=True)
class _Level:
    """A metric's median in each window, and rows of the incident's."""

    middle: Floats
    rows: tuple[int, ...] = ()


def read(digest: pa.Table) -> Reading:
    """Return the signs in a metrics *digest*."""
    with np.errstate(divide="ignore", invalid="ignore"):  # windows without a value of some metric
        levels, windows = _levels(digest)
        usual = _usual(levels)
        signs = {part: Sign(part, len(windows)) for part in PARTS}
        for (service, metric), level in levels.items():
            for part, pattern in PARTS.items():
                if re.search(pattern, metric.lower()):
                    _add(signs[part], service, metric, level, windows, usual[metric])
        shown = {part: sign.read() for part, sign in signs.items()}
    return shown


def unread(digest: pa.Table) -> list[str]:
    """Return the metrics in *digest* where no sign is read from any of them, else nothing."""
    names = sorted(str(name) for name in digest["metric"].unique().to_pylist())
    is_read = any(re.search(part, name.lower()) for part in PARTS.values() for name in names)
    return [] if is_read else names


def _add(sign: Sign, service: str, metric: str, level: _Level, windows: Ints, usual: float) -> None:
    if np.isfinite(level.middle[1:]).sum() < LEAST_WINDOWS:
        return
    score, before = _scores(level.middle, windows, usual)
    note = f"{metric} {before:.4g} -> {level.middle[0]:.4g}"
    strength = np.log1p(np.fmax(score, 0.0)) + 0 * level.middle
    sign.add(service, strength, level.rows, note)


def _levels(digest: pa.Table) -> tuple[dict[tuple[str, str], _Level], Ints]:
    """Return the median of each window of each service's metrics, NaN where there is none."""
    windows = window_list(digest)
    place = places(digest, windows)
    (service, services), (metric, metrics) = codes(digest["service"]), codes(digest["metric"])
    value = np.asarray(digest["value"].to_numpy(), np.float64)
    count, row = ints(digest["count"]), ints(digest["row"])
    order, _ = group([service, metric, place, codes(digest["value"])[0]], len(value))
    service, metric, place = service[order], metric[order], place[order]
    value, row = value[order], row[order]
    _, starts = group([service, metric, place], len(order))
    _, firsts = group([service[starts], metric[starts]], len(starts))
    middle = _medians(value, count[order], starts)
    found: dict[tuple[str, str], _Level] = {}
    for begin, end in zip(firsts, np.append(firsts, len(starts))[1:], strict=True):
        at = starts[begin:end]
        level = _Level(np.full(len(windows), np.nan))
        level.middle[place[at]] = middle[begin:end]
        if place[at[0]] == 0:
            until = at[1] if len(at) > 1 else at[0] + 1
            level.rows = tuple(int(number) for number in row[at[0] : until][::-1][:3])
        key = str(services[int(service[at[0]])]), str(metrics[int(metric[at[0]])])
        found[key] = level
    return found, windows


def _medians(value: Floats, count: Ints, starts: Ints) -> Floats:
    """Return the median of each group of ascending values, counted so many times."""
    reached = np.cumsum(count)
    before = reached[starts] - count[starts]
    half = (before + np.append(before[1:], reached[-1:])) / 2
    low = np.searchsorted(reached, half, side="left")
    high = np.searchsorted(reached, half, side="right")
    return np.asarray((value[low] + value[np.minimum(high, len(value) - 1)]) / 2)


def _scores(level: Floats, windows: Ints, usual: float) -> tuple[Floats, float]:
    """Return robust z-scores, and the level that the incident's is measured against."""
    base = level[1:]
    whole = float(np.nanmedian(base))
    away = base - whole
    high, low = np.nanpercentile(away, [90, 10])
    spread = max(
        1.4826 * float(np.nanmedian(np.abs(away))),
        float(high) / 1.28,
        -float(low) / 1.28,
        _SMALL * abs(whole),
        _SMALL * usual,
        1e-12,
    )
    recent = base[windows[1:] < 0][-RECENT:]
    near = float(np.nanmedian(recent)) if np.isfinite(recent).sum() >= 3 else whole
    changes = (level[0] - whole) / spread, (level[0] - near) / spread
    agreed = min(changes, key=abs) if changes[0] * changes[1] > 0 else 0.0
    return np.append(agreed, away / spread), near


def _usual(levels: Mapping[tuple[str, str], _Level]) -> dict[str, float]:
    """Return the busiest service's usual level of each metric."""
    known = defaultdict(list)
    for (_, metric), level in levels.items():
        before = level.middle[1:][np.isfinite(level.middle[1:])]
        known[metric].append(float(np.median(np.abs(before))) if len(before) else 0.0)
    return {metric: max(of) for metric, of in known.items()}
