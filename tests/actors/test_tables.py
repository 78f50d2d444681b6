"""Tables cross between processes unchanged or not at all, and no operation loses a label."""

import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.actors.errors import InvalidBatchError
from commedia.actors.questions import Question
from commedia.actors.tables import (
    ANSWERS,
    CLOSED,
    INPUT,
    ITEMS,
    MATCHES,
    MATCHES_SENT,
    OUTCOMES_SENT,
    PROGRAM,
    REPLIES,
    REQUESTS,
    STANDING_SENT,
    TRUSTED,
    UNTRUSTED,
    bare,
    batch,
    concat,
    decode,
    encode,
    integrity_of,
    labelled,
    replace_columns,
    stamp,
    words,
)
from commedia.supervisor.judging import matches_of

SCHEMAS = {
    "requests": REQUESTS,
    "replies": REPLIES,
    "items": ITEMS,
    "matches": MATCHES_SENT,
    "outcomes": OUTCOMES_SENT,
    "standing": STANDING_SENT,
}
LAWS = settings(max_examples=15, deadline=None, derandomize=True)
EVERY_SCHEMA = pytest.mark.parametrize("name", SCHEMAS)


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Return a strategy for values of *kind*."""
    if pa.types.is_list(kind):
        return st.lists(values(kind.value_type), max_size=4)
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return st.text(max_size=6)
    if pa.types.is_floating(kind):
        return st.floats(allow_nan=False)
    bits = kind.bit_width - 1
    return st.integers(-(2**bits), 2**bits - 1)


@st.composite
def tables(draw: st.DrawFn, schema: pa.Schema) -> pa.RecordBatch:
    """Return any table of *schema*, with a label of its own on each row."""
    rows = draw(st.integers(0, 6))
    columns = {}
    for field in schema:
        if not field.name.startswith("_"):
            value = values(field.type) | st.none() if field.nullable else values(field.type)
            columns[field.name] = draw(st.lists(value, min_size=rows, max_size=rows))
    made = batch(schema, columns, rows=rows, integrity=TRUSTED, provenance=PROGRAM)
    labels = draw(st.lists(st.integers(TRUSTED, UNTRUSTED), min_size=rows, max_size=rows))
    place = schema.get_field_index("_integrity")
    return made.set_column(place, schema.field(place), pa.array(labels, pa.uint8()))


def some(schema: pa.Schema) -> pa.RecordBatch:
    """Return three rows of *schema* in which every column is filled."""
    filling: dict[type, Any] = {str: ["ok", "né", ""], list: [[0, 1], [2, 3, 4], []]}
    columns = {}
    for field in schema:
        if pa.types.is_list(field.type):
            columns[field.name] = filling[list]
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            columns[field.name] = [1, 2, 3]
        else:
            columns[field.name] = filling[str]
    return batch(schema, columns, rows=3, integrity=UNTRUSTED, provenance=INPUT)


def request(model: str, *, integrity: int = UNTRUSTED, rows: int = 1) -> pa.RecordBatch:
    columns = {"call_id": list(range(rows)), "role": "judge", "model": model, "attempt": 0}
    return batch(REQUESTS, columns, rows=rows, integrity=integrity, provenance=INPUT)


@EVERY_SCHEMA
@LAWS
@given(data=st.data())
def test_a_table_survives_the_trip(name: str, data: st.DataObject) -> None:
    table = data.draw(tables(SCHEMAS[name]))

    assert decode(encode(table), SCHEMAS[name]).equals(table)


@EVERY_SCHEMA
@LAWS
@given(data=st.data())
def test_a_slice_crosses_as_its_rows_alone(name: str, data: st.DataObject) -> None:
    table = data.draw(tables(SCHEMAS[name]))
    first = data.draw(st.integers(0, table.num_rows))
    piece = table.slice(first, data.draw(st.integers(0, table.num_rows - first)))

    assert decode(encode(piece), SCHEMAS[name]).to_pylist() == piece.to_pylist()


@EVERY_SCHEMA
def test_flipped_bytes_are_refused_or_still_a_whole_table(name: str) -> None:
    """Whatever any byte becomes, what comes out obeys the schema, or nothing comes out."""
    schema, dice = SCHEMAS[name], random.Random(5)
    sent = encode(some(schema))
    passed = 0
    for place in range(dice.randrange(3), len(sent), 3):
        broken = bytearray(sent)
        broken[place] = dice.choice([0, 255, broken[place] ^ (1 << dice.randrange(8))])
        try:
            table = decode(bytes(broken), schema)
        except InvalidBatchError:
            continue
        table.validate(full=True)
        passed += 1
        assert table.schema.equals(schema, check_metadata=True)
        assert integrity_of(table) <= UNTRUSTED
        for field, column in zip(schema, table.to_pydict().values(), strict=True):
            assert field.nullable or None not in column
    assert 0 < passed < len(sent)  # padding may change, and the rest may not


@EVERY_SCHEMA
def test_what_is_cut_off_is_refused_or_was_not_needed(name: str) -> None:
    table = some(SCHEMAS[name])
    sent = encode(table)
    for length in range(0, len(sent), 7):
        try:
            got = decode(sent[:length], SCHEMAS[name])
        except InvalidBatchError:
            continue
        assert got.equals(table)  # only the end mark was missing


@pytest.mark.parametrize("other", SCHEMAS)
@EVERY_SCHEMA
def test_a_table_of_another_schema_is_refused(name: str, other: str) -> None:
    if name != other:
        with pytest.raises(InvalidBatchError, match="schema is another one"):
            decode(encode(some(SCHEMAS[other])), SCHEMAS[name])


@pytest.mark.parametrize("sent", [b"", b"x", b"\xff" * 64, bytes(64), b"ARROW1\0\0" * 9])
def test_bytes_that_are_no_table_are_refused(sent: bytes) -> None:
    with pytest.raises(InvalidBatchError, match=r"call_id, status, reason, \.\.\. was refused: ."):
        decode(sent, REPLIES)


@pytest.mark.parametrize("count", [0, 2])
def test_a_stream_of_no_batch_or_two_is_refused(count: int) -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ITEMS) as writer:
        for _ in range(count):
            writer.write_batch(some(ITEMS))

    with pytest.raises(InvalidBatchError, match=f"holds {count} batches"):
        decode(sink.getvalue(), ITEMS)


def test_too_large_a_table_is_refused_packed_or_unpacked() -> None:
    """A compressed table counts as what it becomes."""
    row = pa.array([[1] * 100_000], MATCHES.field("shown").type)
    match = matches_of(row, Question("list", 50))
    zeros = stamp(match, integrity=TRUSTED, provenance=PROGRAM)
    sink = pa.BufferOutputStream()
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, MATCHES_SENT, options=packed) as writer:
        writer.write_batch(zeros)

    assert decode(sink.getvalue(), MATCHES_SENT).equals(zeros)
    assert sink.getvalue().size < 10_000
    for sent in (sink.getvalue(), encode(zeros)):
        with pytest.raises(InvalidBatchError, match="10,000"):
            decode(sent, MATCHES_SENT, max_bytes=10_000)


@pytest.mark.parametrize(
    ("column", "broken"),
    [
        ("call_id", pa.array([None, 1, 2], pa.int64())),
        ("status", words(["ok", None, "ok"])),
        ("order", pa.array([[0, None], [1], None], pa.list_(pa.int32()))),
        ("_integrity", pa.array([0, None, 0], pa.uint8())),
        ("_provenance", pa.array([0, None, 0], pa.int32())),
        (
            "status",  # a null that no null count tells of
            pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int16()), ["ok", None]),
        ),
    ],
    ids=str,
)
def test_nulls_where_none_may_be_are_refused(column: str, broken: pa.Array) -> None:
    place = REPLIES.get_field_index(column)
    table = some(REPLIES).set_column(place, REPLIES.field(place), broken)

    with pytest.raises(InvalidBatchError, match=f"column {column} has nulls"):
        decode(encode(table), REPLIES)


def test_an_unknown_label_is_refused() -> None:
    table = stamp(some(ITEMS), integrity=UNTRUSTED + 1, provenance=INPUT)

    with pytest.raises(InvalidBatchError, match="integrity label is unknown"):
        decode(encode(table), ITEMS)


def test_metadata_does_not_travel() -> None:
    """Labels are columns: nothing that a schema says beside them gets through."""
    claims = ITEMS.with_metadata({"integrity": "trusted"})

    assert decode(encode(some(ITEMS).cast(claims)), ITEMS).schema.metadata is None


@pytest.mark.parametrize("claimed", [0, 7, "trusted", None])
def test_a_stamp_overrides_what_was_claimed(claimed: object) -> None:
    rows = pa.record_batch({"_integrity": [claimed], "shown": [[0, 1]], "_mine": [1]})
    stamped = stamp(rows, integrity=UNTRUSTED, provenance=ANSWERS)

    assert stamped.to_pylist() == [
        {"shown": [0, 1], "_mine": 1, "_integrity": UNTRUSTED, "_provenance": ANSWERS}
    ]
    assert stamped.schema.equals(labelled(rows.select(["shown", "_mine"]).schema))


def test_a_missing_label_reads_as_untrusted() -> None:
    bare_rows = pa.record_batch({"shown": [[0, 1]]})
    nulls = pa.record_batch({"_integrity": pa.array([0, None], pa.uint8())})
    words_for_labels = pa.record_batch({"_integrity": ["trusted"]})

    assert [integrity_of(t) for t in (bare_rows, nulls, words_for_labels)] == [UNTRUSTED] * 3
    assert integrity_of(request("m", rows=0)) == TRUSTED


@LAWS
@given(st.lists(tables(REPLIES), max_size=4))
def test_concat_keeps_each_row_with_its_label_and_joins_by_the_maximum(
    pieces: list[pa.RecordBatch],
) -> None:
    together = concat(pieces, REPLIES)

    assert together.to_pylist() == [row for piece in pieces for row in piece.to_pylist()]
    assert integrity_of(together) == max(map(integrity_of, pieces), default=TRUSTED)
    assert decode(encode(together), REPLIES).equals(together)


def test_concat_reads_differing_dictionaries_and_offsets() -> None:
    table = concat(
        [
            request("b", rows=9).slice(7),
            request("a", integrity=TRUSTED),
            request("b", rows=0),
            request("c", integrity=CLOSED),
        ],
        REQUESTS,
    )

    assert table.column("model").to_pylist() == ["b", "b", "a", "c"]
    assert table.column("call_id").to_pylist() == [7, 8, 0, 0]
    assert table.column("_integrity").to_pylist() == [UNTRUSTED, UNTRUSTED, TRUSTED, CLOSED]


def test_replaced_columns_leave_labels_alone() -> None:
    table = replace_columns(request("m", rows=2), {"prompt": ["a", "b"]})

    assert table.column("prompt").to_pylist() == ["a", "b"]
    assert table.schema.equals(REQUESTS)
    assert integrity_of(table) == UNTRUSTED
    for name in ("_integrity", "_provenance", "unheard_of"):
        with pytest.raises(ValueError, match=name):
            replace_columns(table, {name: [0, 0]})


def test_bare_rows_are_the_columns_of_a_schema_and_no_more() -> None:
    match = matches_of(pa.array([[3, 1]], pa.list_(pa.int32())), Question("pair"))
    noted = match.append_column("note", pa.array(["x"]))
    matches = stamp(noted, integrity=TRUSTED, provenance=PROGRAM)

    assert bare(matches, MATCHES).equals(match)


def test_a_scalar_fills_its_column_and_a_missing_column_is_null() -> None:
    [first, second] = request("m", rows=2).to_pylist()

    assert (first["role"], second["role"], second["attempt"]) == ("judge", "judge", 0)
    assert first["prompt"] is first["items"] is first["task"] is None
