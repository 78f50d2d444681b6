"""Whatever happens to its bytes, a journal gives a prefix of its records, or an error."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import Record, blobs_of, line, read, write

from commedia.actors.errors import JournalCorruptError
from commedia.supervisor.journal import Journal, scan


@pytest.fixture(scope="module")
def journal_4k() -> tuple[bytes, list[Record]]:
    """A journal of 4 KiB, and its records."""
    records: list[Record] = [
        {"kind": "result", "path": f"hunt/{k}", "answer": "é{x} " * (73 + k), "usage": {"in": k}}
        for k in range(5)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.journal"
        write(file, records)
        data = file.read_bytes()
    assert 4096 <= len(data) < 4500
    return data, records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


def test_a_cut_at_any_byte_leaves_a_prefix(journal_4k: tuple[bytes, list[Record]]) -> None:
    data, records = journal_4k
    for cut in range(len(data) + 1):
        found = scan(data[:cut])

        assert not found.is_corrupt
        assert found.records == records[: data[:cut].count(b"\n")]
        assert found.end == data.rfind(b"\n", 0, cut) + 1


def test_any_flipped_bit_leaves_a_prefix_or_is_refused(
    journal_4k: tuple[bytes, list[Record]],
) -> None:
    """Damage before the last record is never taken for a torn tail: one bit of each byte."""
    data, records = journal_4k
    last = data.rfind(b"\n", 0, -1) + 1
    ends = [k + 1 for k, byte in enumerate(data) if byte == ord("\n")]
    for bit in (8 * byte + byte % 8 for byte in range(len(data))):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        found = scan(bytes(damaged))
        whole = sum(end <= bit // 8 for end in ends)

        assert found.records == records[:whole]
        assert found.is_corrupt == (bit // 8 < last)


@given(st.binary(max_size=80), st.integers(0, 5200), st.integers(0, 5200))
def test_any_damage_leaves_a_prefix_or_is_refused(
    journal_4k: tuple[bytes, list[Record]], patch: bytes, start: int, stop: int
) -> None:
    data, records = journal_4k
    found = scan(data[:start] + patch + data[stop:])

    assert found.records == records[: len(found.records)]


def test_a_torn_tail_is_cut_by_who_opens_and_left_by_who_reads(
    path: Path, journal_4k: tuple[bytes, list[Record]]
) -> None:
    data, records = journal_4k
    for torn in (data[:-1], data[:-40], data + b"0", data + b"\0" * 512, data + data[:50] + b"\n"):
        path.write_bytes(torn)
        whole = len(scan(torn).records)

        assert read(path) == records[:whole]
        assert path.read_bytes() == torn
        write(path, [{"more": 1}])
        assert read(path) == [*records[:whole], {"more": 1}]


def test_records_behind_damage_are_refused_and_the_good_ones_named(
    path: Path, journal_4k: tuple[bytes, list[Record]]
) -> None:
    data, records = journal_4k
    for bit in range(0, data.rfind(b"\n", 0, -1) * 8, 797):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(JournalCorruptError) as read_error:
            read(path)
        with pytest.raises(JournalCorruptError) as open_error:
            Journal.open(path, blobs_of(path))
        good = Path(read_error.value.good)

        assert read_error.value.args == open_error.value.args
        assert path.read_bytes() == damaged
        assert read(good) == records[: read_error.value.line - 1]
        assert good.read_bytes() == data[: good.stat().st_size]


def test_good_records_never_replace_others(
    path: Path, journal_4k: tuple[bytes, list[Record]]
) -> None:
    data, _ = journal_4k
    beside = path.with_name("run.journal.good")
    beside.write_text("something else")
    path.write_bytes(b"x" + data)
    for _ in range(2):
        with pytest.raises(JournalCorruptError, match=r"line 1, .* 0 before it are in .*good-2"):
            read(path)

    assert beside.read_text() == "something else"
    assert {file.name for file in path.parent.glob("*.good*")} == {beside.name, f"{beside.name}-2"}


@pytest.mark.parametrize(
    "second",
    ['{"n":0}', '{"n":2}', "{}", '{"n":"1"}', '{"n":null}'],
)
def test_a_record_out_of_its_place_is_refused(path: Path, second: str) -> None:
    """A lost line, a doubled one and a second writer show in the numbers."""
    path.write_bytes(line('{"n":0}') + line(second))

    with pytest.raises(JournalCorruptError, match="line 2"):
        read(path)


@pytest.mark.parametrize("body", ["[]", "1", "nonsense", '{"n":0', ""])
def test_what_is_no_record_is_a_torn_tail(path: Path, body: str) -> None:
    path.write_bytes(line(body))

    assert read(path) == []


def test_the_checksum_has_one_spelling(path: Path) -> None:
    good = next(
        text for k in range(99) if (text := line(f'{{"k":{k},"n":0}}'))[:8].upper() != text[:8]
    )
    path.write_bytes(good[:8].upper() + good[8:])

    assert read(path) == []
