"""Digests add up: where the evidence is split, and in what order, changes nothing."""

from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commedia.patterns.recipes.root_cause.counting import stack
from commedia.patterns.recipes.root_cause.digests import DIGEST, merge
from commedia.patterns.recipes.root_cause.evidence import (
    Kind,
    Windows,
    normalise,
    number_rows,
    shard,
)
from commedia.patterns.recipes.root_cause.logs import template_of

KINDS: tuple[Kind, ...] = ("logs", "spans", "metrics", "events")


@cache
def evidence(kind: Kind) -> pa.Table:
    """Return a few minutes of normalised evidence, with traces that cross minutes."""
    rng, size = np.random.default_rng(5), 240
    trace = rng.integers(0, 30, size)
    columns: dict[str, object] = {
        "t_s": rng.integers(-600, 180, size).astype(float),
        "service": [f"s{n}" for n in rng.integers(0, 4, size)],
    }
    if kind == "logs":
        columns["message"] = [f"did {'abc'[n % 3]} {n}" for n in rng.integers(0, 9, size)]
        columns["level"] = rng.choice(["info", "ERROR"], size).tolist()
        columns["trace"] = [f"t{n}" if n else "" for n in trace]
    elif kind == "spans":
        columns["trace"] = [f"t{n}" for n in trace]
        columns["span"] = [f"{n}" for n in range(size)]
        columns["parent"] = [f"{n}" for n in rng.integers(0, size, size)]
        columns["operation"] = rng.choice(["GET /", "serve"], size).tolist()
        columns["duration_us"] = rng.integers(1, 10**6, size)
    elif kind == "metrics":
        columns["cpu"] = rng.normal(50, 20, size)
        columns["errors"] = rng.integers(0, 3, size)
    else:
        columns["message"] = rng.choice(["deploy", "switch"], size).tolist()
    table = number_rows(pa.table(columns))
    return normalise(kind, kind, table, Windows(0.0, guard_s=0.0))


@settings(max_examples=15, deadline=None)
@given(data=st.data(), shards=st.integers(1, 4))
@pytest.mark.parametrize("kind", KINDS)
def test_evidence_may_be_split_anywhere(kind: Kind, data: st.DataObject, shards: int) -> None:
    """Parts are sharded where they lie; each shard is digested by itself; the digests add up."""
    rows = evidence(kind)
    cuts = sorted(data.draw(st.lists(st.integers(0, rows.num_rows), max_size=3)))
    parts = [
        rows.slice(begin, end - begin)
        for begin, end in zip([0, *cuts], [*cuts, rows.num_rows], strict=True)
    ]
    sharded = [shard(part, shards) for part in data.draw(st.permutations(parts))]
    digests = [DIGEST[kind](stack([part[n] for part in sharded])) for n in range(shards)]

    merged = merge(data.draw(st.permutations(digests)))

    assert merged.equals(DIGEST[kind](rows))


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_of_nothing_adds_nothing(kind: Kind) -> None:
    whole = DIGEST[kind](evidence(kind))
    nothing = DIGEST[kind](evidence(kind).slice(0, 0))

    assert nothing.num_rows == 0
    assert merge([nothing, whole]).equals(whole)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("user 17 logged in", "user 4 logged in"),
        (
            "order 9b823e5b-3abb-4008-afd7-14cd864c365c paid",
            "order 00000000-0000-4000-8000-000000000000 paid",
        ),
        ("no file 'a.txt'", "no file 'b.txt'"),
        ("took 0x1f ms", "took 0x2a ms"),
        ("ids [1, 2, 3]", "ids [4, 5]"),
    ],
)
def test_what_changes_from_line_to_line_is_masked(one: str, other: str) -> None:
    assert template_of(one) == template_of(other)


def test_different_statements_keep_different_templates() -> None:
    assert template_of("order 1 paid") != template_of("order 1 lost")
