"""Every table file is read without loss, or refused in one sentence that says where."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.errors import UsageError
from commedia.readers import read_file, read_lines

Write = Callable[[str, bytes | str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and return its path."""

    def write_file(name: str, data: bytes | str) -> str:
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)

    return write_file


BAD_FILES = {
    "empty": ("t.csv", b"", "is empty"),
    "only line breaks": ("t.csv", b"\n\n\r\n", "is empty"),
    "only a header": ("t.csv", b"a,b\n", "has no rows"),
    "too many cells": ("t.csv", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, but the header has 2"),
    "too few cells": ("t.csv", b'a,b\n"x\ny",2\n1\n', "line 4 has 1 cells"),
    "an open quote": ("t.csv", b'a,b\n1,2\n"never closed,2\n3,4\n', "line 3 is not CSV"),
    "a stray quote": ("t.csv", b'a\n"x" y\n', "line 2 is not CSV"),
    "a column twice": ("t.csv", b"a,a\n1,2\n", "two columns named 'a'"),
    "latin-1": ("t.csv", "a\nx\nM\u00fcller\n".encode("latin-1"), "byte 0xfc on line 3"),
    "utf-16": ("t.csv", "a\nx\n".encode("utf-16"), "is not UTF-8"),
    "broken json": ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2 is not JSON"),
    "no object": ("t.jsonl", b'{"a": 1}\n\n[1]\n', "line 3 is not an object"),
    "deep json": ("t.jsonl", b"[" * 100_000, "line 1 is not JSON"),
    "mixed kinds": ("t.jsonl", b'{"a": 1}\n\n{"a": "x"}', "on line 1 but a text on line 3"),
    "no keys": ("t.jsonl", b"{}\n{}\n", "has no columns"),
    "a huge number": ("t.jsonl", b'{"a": 99999999999999999999}', "cannot be stored"),
    "half a character": ("t.jsonl", b'{"a": "\\ud800"}', "cannot be stored"),
    "no parquet": ("t.parquet", b"PAR1 but not really", "not a sound Parquet file"),
    "unknown": ("t.xlsx", b"PK", "no known extension"),
    "none": ("t", b"a\n1\n", "no known extension"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(write: Write, case: str) -> None:
    name, data, reason = BAD_FILES[case]

    with pytest.raises(UsageError) as caught:
        read_file(write(name, data))

    assert reason in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_file(str(tmp_path / "nowhere.csv"))
    with pytest.raises(UsageError, match="there is no file"):
        read_file(str(tmp_path / "nowhere"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        read_file(str(tmp_path / "folder.csv"))


def test_a_truncated_parquet_file_is_refused(write: Write, tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"a": ["x"] * 100}), whole)

    with pytest.raises(UsageError, match="not a sound Parquet file"):
        read_file(write("half.parquet", whole.read_bytes()[:-10]))


def test_numbers_become_numbers_only_where_nothing_is_lost(write: Write) -> None:
    table = read_file(
        write(
            "t.csv",
            "n,x,zip,version,big,mixed,plus,unknown\n"
            "1,0.5,007,1.10,99999999999999999999,1,+1,\n"
            "-2,7,100,2.0,1,a,2,\n"
            ",,,,,,,\n",
        )
    )

    assert table.to_pydict() == {
        "n": [1, -2, None],
        "x": [0.5, 7.0, None],
        "zip": ["007", "100", None],
        "version": ["1.10", "2.0", None],
        "big": ["99999999999999999999", "1", None],
        "mixed": ["1", "a", None],
        "plus": ["+1", "2", None],
        "unknown": [None, None, None],
    }


@pytest.mark.parametrize("cell", ["nan", "inf", "1_000", "\u0661\u0662", " 1", "1e999", "0x1"])
def test_what_only_looks_like_a_number_stays_a_text(write: Write, cell: str) -> None:
    assert read_file(write("t.csv", f"a\n{cell}\n"))["a"].to_pylist() == [cell]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_any_texts_survive_csv(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(text.getvalue().encode())

    table = read_file(str(path))

    assert [tuple(map(str, row.values())) for row in table.to_pylist()] == rows


def test_a_byte_order_mark_and_blank_headers_are_no_trouble(write: Write) -> None:
    table = read_file(write("t.CSV", b"\xef\xbb\xbf,text\r\n0,hello\r\n"))

    assert table.to_pydict() == {"column_1": [0], "text": ["hello"]}


def test_json_keeps_its_types(write: Write) -> None:
    rows = [
        {"a": 1, "b": True, "c": "x", "d": [1, 2], "e": {"f": None}, "g": 1},
        {"a": None, "b": False, "c": "y", "d": [], "e": {"f": "z"}, "h": {}, "g": 2.5},
    ]

    table = read_file(write("t.ndjson", "\n\n".join(map(json.dumps, rows)) + "\n"))

    assert table["a"].to_pylist() == [1, None]
    assert table["b"].to_pylist() == [True, False]
    assert table["d"].to_pylist() == [[1, 2], []]
    assert table["e"].to_pylist() == [{"f": None}, {"f": "z"}]
    assert table["g"].to_pylist() == [1.0, 2.5]
    assert table["h"].to_pylist() == [None, "{}"]


def test_lines_are_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "first\r\n\n  \n third, with comma\u2028and separator\n".encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))

    assert read_lines().to_pydict() == {"text": ["first", " third, with comma\u2028and separator"]}


@pytest.mark.parametrize(("data", "reason"), [(b"\n \n", "is empty"), (b"a\n\xff", "line 2")])
def test_bad_lines_are_refused(monkeypatch: pytest.MonkeyPatch, data: bytes, reason: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    with pytest.raises(UsageError, match=reason):
        read_lines()
