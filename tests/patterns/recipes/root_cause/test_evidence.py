"""Evidence is recognised by its columns, and what cannot be used is one sentence."""

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from commedia.patterns.recipes.root_cause.digests import DIGEST
from commedia.patterns.recipes.root_cause.errors import (
    EmptyEvidenceError,
    EmptyWindowError,
    EvidenceError,
    MissingColumnError,
    UnreadableTimeError,
    UnreadMetricsError,
)
from commedia.patterns.recipes.root_cause.evidence import (
    Kind,
    Windows,
    check_columns,
    check_windows,
    kind_of,
    normalise,
    number_rows,
    seconds,
    shard,
)


def table(**columns: Sequence[object]) -> pa.Table:
    return number_rows(pa.table(columns))


LOGS: dict[str, Sequence[object]] = {"timestamp": [0.0, 9.0], "app": ["a", "b"], "body": ["x", "y"]}


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (LOGS, "logs"),
        (
            {"ts": [1.0], "trace_id": ["t"], "span_id": ["s"], "service": ["a"], "name": ["GET"]}
            | {"duration_ms": [2.5]},
            "spans",
        ),
        ({"time": [1.0], "pod": ["a"], "cpu": [0.5]}, "metrics"),
        ({"time": ["2024-05-01"], "service": ["a"], "message": ["deployed"]}, "logs"),
        ({"time": ["2024-05-01"], "what": ["sale began"]}, "events"),
    ],
)
def test_the_kind_is_told_by_the_columns(columns: dict[str, Sequence[object]], kind: Kind) -> None:
    assert kind_of("it", table(**columns)) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "events") for name in ("deploys", "prod_releases", "Changes-2024", "sales")),
        *((name, "logs") for name in ("app", "deployment_logs", "exchanges")),
    ],
)
def test_what_looks_like_logs_is_events_where_its_name_ends_so(name: str, kind: Kind) -> None:
    assert kind_of(name, table(**LOGS)) == kind


@pytest.mark.parametrize("column", ["message", "change", "version"])
def test_an_event_is_shown_by_whatever_column_says_what_it_was(column: str) -> None:
    columns: dict[str, Sequence[object]] = {"time": [0.0], column: ["v2"]}

    rows = normalise("e", "events", table(**columns), Windows(0.0))

    assert rows["message"].to_pylist() == ["v2"]


@pytest.mark.parametrize(
    "times",
    [
        [1714557600, 1714557660],
        [1714557600000, 1714557660000],
        [1714557600 * 10**9, 1714557660 * 10**9],
        ["2024-05-01T10:00:00Z", "2024-05-01T12:01:00+02:00"],
        ["2024-05-01 10:00:00", "2024-05-01 10:01:00"],
        [datetime(2024, 5, 1, 10, 0, tzinfo=UTC), datetime(2024, 5, 1, 10, 1, tzinfo=UTC)],
    ],
)
def test_times_are_read_as_they_come(times: Sequence[object]) -> None:
    rows = normalise(
        "m", "metrics", table(time=times, service=["a", "a"], cpu=[1.0, 2.0]), Windows(1714557600.0)
    )

    assert rows["time"].to_pylist() == [0.0, 60.0]
    assert seconds("2024-05-01T10:00:00Z") == 1714557600.0


def test_rows_are_put_in_windows_and_keep_their_numbers() -> None:
    times = [-130.0, -70.0, -30.0, 0.0, 179.0, 180.0, 500.0]
    marked = [False] * 6 + [True]
    rows = normalise(
        "m",
        "metrics",
        table(t_s=times, service=["a"] * 7, cpu=[1.0] * 7, baseline=marked),
        Windows(0),
    )

    assert dict(zip(rows["row"].to_pylist(), rows["window"].to_pylist(), strict=True)) == {
        0: -3,
        1: -2,
        3: 0,
        4: 0,
        6: 9,
    }


def test_a_given_baseline_is_the_baseline() -> None:
    times = [-900.0, -400.0, -100.0, 5.0]
    rows = normalise(
        "m",
        "metrics",
        table(t_s=times, service=["a"] * 4, cpu=[1.0] * 4),
        Windows(0.0, since=-500.0, until=-200.0),
    )

    assert rows["row"].to_pylist() == [1, 3]


def test_durations_are_read_by_their_unit() -> None:
    base: dict[str, list[object]] = {
        "t_s": [1.0],
        "trace": ["t"],
        "span": ["s"],
        "service": ["a"],
        "operation": ["o"],
    }
    for name, value in (("duration_us", 2500), ("duration_ms", 2.5), ("duration_s", 0.0025)):
        rows = normalise("s", "spans", table(**base, **{name: [value]}), Windows(0.0))
        assert rows["duration_us"].to_pylist() == [2500]


def test_a_shard_never_divides_a_trace() -> None:
    traces = [f"t{n}" for n in np.random.default_rng(1).integers(0, 20, 100)]
    rows = normalise(
        "l",
        "logs",
        table(t_s=[1.0] * 100, service=["a"] * 100, message=["m"] * 100, trace=traces),
        Windows(0.0),
    )

    parts = [set(part["trace"].to_pylist()) for part in shard(rows, 3)]

    assert sum(len(part) for part in parts) == len(set(traces))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MissingColumnError, match=r"'m' has no column for service, only time"):
        normalise("m", "metrics", table(time=[1.0]), Windows(0.0))


def test_measurements_are_no_events_whatever_their_name() -> None:
    columns: dict[str, Sequence[object]] = {"time": [0.0], "service": ["a"], "cpu": [1.0]}

    with pytest.raises(EvidenceError, match="'deploys' is events by its name, and has no column"):
        check_columns("deploys", kind_of("deploys", table(**columns)), table(**columns))


def test_metrics_may_have_a_column_each_or_a_row_each() -> None:
    """The same figures, the same digest, but for the rows that they are cited by."""
    times, cpu, memory = [-70.0, 0.0], [1.0, 9.0], [5.0, 6.0]
    wide = table(t_s=times, service=["a"] * 2, cpu=cpu, memory=memory)
    long = table(
        t_s=times * 2,
        service=["a"] * 4,
        metric=["cpu", "cpu", "memory", "memory"],
        value=[*cpu, *memory],
    )

    digests = [
        DIGEST["metrics"](normalise("m", "metrics", each, Windows(0.0))).drop_columns(["row"])
        for each in (wide, long)
    ]

    assert digests[0].equals(digests[1])


def test_a_wide_table_may_have_a_column_named_metric() -> None:
    rows = normalise(
        "m",
        "metrics",
        table(t_s=[0.0], service=["a"], metric=[1.0], value=[2.0]),
        Windows(0.0),
    )

    assert DIGEST["metrics"](rows)["metric"].to_pylist() == ["metric", "value"]


def test_an_unreadable_time_is_shown() -> None:
    with pytest.raises(UnreadableTimeError, match="'yesterday'"):
        normalise("e", "events", table(time=["yesterday"], what=["x"]), Windows(0.0))


@pytest.mark.parametrize(("times", "window"), [([-100.0], "incident"), ([5.0], "baseline")])
def test_an_empty_window_is_named(times: list[float], window: str) -> None:
    rows = normalise("m", "metrics", table(t_s=times, service=["a"], cpu=[1.0]), Windows(0.0))

    with pytest.raises(EmptyWindowError, match=window):
        check_windows("m", "metrics", rows)


def test_events_need_no_earlier_ones() -> None:
    check_windows("e", "events", normalise("e", "events", table(t_s=[-120.0]), Windows(0.0)))


@pytest.mark.parametrize(
    "error",
    [
        EvidenceError("m", "is empty"),
        MissingColumnError("m", "time", ("a", "b")),
        UnreadableTimeError("m", "when", "noon"),
        EmptyEvidenceError("m"),
        EmptyWindowError("m", "incident"),
        UnreadMetricsError("m", ["mem"]),
    ],
)
def test_an_error_survives_the_trip_between_processes(error: EvidenceError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert (str(copy), vars(copy)) == (str(error), vars(error))
