"""A ranking is written whole or not at all, and nothing in it runs in a spreadsheet or terminal."""

import csv
import datetime
import decimal
import io
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from commedia.actors.errors import UsageError
from commedia.outputs import check_output, csv_cell, print_table, write_csv, write_table

RANKED = pa.table(
    {
        "rank": [1, 2],
        "id": ["=a", "b"],
        "score": [1.5, -0.25],
        "rank_low": [1.0, 1.0],
        "rank_high": [2.0, 2.0],
        "comparisons": pa.array([3, 3], pa.int32()),
        "text": ["-1 items\x1b[2J left", 'says "hi",\nthen leaves'],
        "flag": [True, None],
        "tags": [["x", "y"], []],
        "at": [datetime.datetime(2026, 11, 25, 9, 30), None],
        "price": [decimal.Decimal("10.50"), None],
        "raw": [b"\x00\xff", None],
        "ratio": [math.nan, 0.5],
    }
)


def written(tmp_path: Path, name: str, table: pa.Table = RANKED) -> Path:
    """Write *table* and return the file, after a look that nothing else was left."""
    path = tmp_path / name
    check_output(str(path), table)
    write_table(table, str(path))
    assert [file.name for file in tmp_path.iterdir()] == [name]
    return path


@given(st.text())
def test_no_text_is_a_formula_and_none_is_lost(text: str) -> None:
    cell = csv_cell(text)

    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.removeprefix("'") == text or cell == text


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-1, "-1"),
        (-0.5, "-0.5"),
        (True, "true"),
        (None, ""),
        ("-1", "'-1"),
        ([{"a": 1}], '[{"a": 1}]'),
    ],
)
def test_numbers_are_untouched(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


@given(st.lists(st.tuples(st.text(), st.integers(-9, 9)), min_size=1, max_size=4))
def test_what_is_written_as_csv_can_be_read_again(rows: list[tuple[str, int]]) -> None:
    table = pa.table({"=t": [text for text, _ in rows], "n": [number for _, number in rows]})
    stream = io.StringIO(newline="")

    write_csv(table, stream)

    head, *body = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert head == ["'=t", "n"]
    assert body == [[csv_cell(text), str(number)] for text, number in rows]


def test_csv_holds_every_column(tmp_path: Path) -> None:
    with written(tmp_path, "out.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)

    assert first["id"] == "'=a"
    assert first["text"] == "'-1 items\x1b[2J left"
    assert second["text"] == 'says "hi",\nthen leaves'
    assert (second["score"], first["flag"], second["flag"]) == ("-0.25", "true", "")
    assert (first["tags"], first["at"]) == ('["x", "y"]', "2026-11-25T09:30:00")
    assert (first["price"], first["raw"], first["ratio"]) == ("10.50", "AP8=", "nan")


def test_jsonl_keeps_types(tmp_path: Path) -> None:
    lines = written(tmp_path, "out.jsonl").read_text().splitlines()
    first, second = map(json.loads, lines)

    assert first["id"] == "=a"
    assert (second["rank"], second["score"], second["flag"]) == (2, -0.25, None)
    assert (first["tags"], first["flag"], first["price"]) == (["x", "y"], True, 10.5)
    assert first["ratio"] is None


def test_parquet_keeps_types_and_metadata(tmp_path: Path) -> None:
    table = RANKED.cast(RANKED.schema.with_metadata({"commedia.run_id": "r"}))

    read = pq.read_table(written(tmp_path, "out.parquet", table))

    assert read.schema.metadata == {b"commedia.run_id": b"r"}
    assert read["at"].type == table["at"].type and read["price"].type == table["price"].type
    assert read.drop_columns("ratio").to_pydict() == table.drop_columns("ratio").to_pydict()


def test_a_file_that_is_there_is_replaced_also_through_a_link(tmp_path: Path) -> None:
    path = written(tmp_path, "out.csv")
    link = tmp_path / "link.csv"
    link.symlink_to(path)

    write_table(RANKED.slice(0, 1), str(link))

    assert link.is_symlink()
    assert len(path.read_text().splitlines()) == 2


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, "out.parquet")
    before = path.read_bytes()
    unwritable = pa.table({"a": pa.array([None], pa.month_day_nano_interval())})

    with pytest.raises(pa.ArrowException):
        write_table(unwritable, str(path))

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]


def test_what_cannot_be_written_is_known_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    cases = {
        "out.txt": "no known extension",
        "out": "no known extension",
        "folder.csv": "is a folder",
        "nowhere/out.csv": "there is no folder",
        "x" * 300 + ".csv": "cannot be written",
    }
    for name, reason in cases.items():
        with pytest.raises(UsageError, match=reason):
            check_output(str(tmp_path / name))

    assert [file.name for file in tmp_path.iterdir()] == ["folder.csv"]


def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        check_output("/proc/out.csv")


def test_a_column_that_no_format_takes_is_refused_before_the_run(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([None], pa.month_day_nano_interval())})

    with pytest.raises(UsageError, match="column 'a' cannot be written"):
        check_output(str(tmp_path / "out.parquet"), table)


def test_a_full_disk_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: _Usage())

    with pytest.raises(UsageError, match="less than 10 MB are free"):
        check_output(str(tmp_path / "out.csv"))


class _Usage:
    free = 9_999_999


def test_a_terminal_gets_no_escape_and_no_markup() -> None:
    stream = io.StringIO()
    texts: dict[str, Any] = {"=a": "[bold]x[/bold]\x1b]0;title\x07 \u202egnp"}

    print_table(RANKED, Console(file=stream, width=100, height=40), texts=texts)

    shown = stream.getvalue()
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "[bold]x[/bold]␛]0;title␇ gnp" in shown
    assert 'says "hi", then leaves' in shown


def test_a_terminal_gets_the_rows_that_fit() -> None:
    stream = io.StringIO()
    many = pa.table({name: RANKED[name].take(pa.array([0] * 500)) for name in RANKED.column_names})

    print_table(many, Console(file=stream, width=80, height=30))

    assert len(stream.getvalue().splitlines()) <= 22
    assert "and 482 more rows" in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= 80
