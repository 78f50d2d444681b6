"""The steps of the hunt that need no model: each sees one piece of evidence, on whatever host."""

import math
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from .answers import Analysis, Candidate, Refutation
from .counting import stack
from .describe import describe
from .digests import DIGEST, READ, merge
from .errors import EmptyEvidenceError, UnreadMetricsError
from .evidence import Kind, Windows, check_windows, kind_of, normalise, shard, time_span
from .files import first_rows, read_batches
from .metric_signs import unread
from .panel import Witness, analyse, refute, services_of

SHARD_BYTES = 256 * 2**20
"""A part of the evidence so large, on disk, is digested by one call."""


class Piece(BaseModel):
    """One piece of evidence: where it is, what it is, and how many rows and shards it has."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: Path
    kind: Kind
    rows: int
    shards: int


def survey(name: str, path: Path) -> Piece:
    """Tell what the evidence *name* is; raises EvidenceError where it cannot be used."""
    kind = kind_of(name, first_rows(name, path))
    rows = sum(table.num_rows for table in read_batches(name, path))
    shards = math.ceil(path.stat().st_size / SHARD_BYTES) if rows else 0
    return Piece(name=name, path=path, kind=kind, rows=rows, shards=shards)


def digest_part(piece: Piece, windows: Windows, number: int) -> pa.Table:
    """Digest shard *number* of a piece: whole traces, read a batch at a time."""
    parts = []
    for table in read_batches(piece.name, piece.path):
        normal = normalise(piece.name, piece.kind, table, windows)
        parts.append(shard(normal, piece.shards)[number] if piece.shards > 1 else normal)
    return DIGEST[piece.kind](stack(parts))


def add_up(piece: Piece, parts: Sequence[pa.Table]) -> pa.Table:
    """Add the digests of all shards up; raises EvidenceError where they cannot show anything."""
    if not parts:
        raise EmptyEvidenceError(piece.name)
    digest = merge(parts)
    check_windows(piece.name, piece.kind, digest)
    if piece.kind == "metrics" and (metrics := unread(digest)):
        raise UnreadMetricsError(piece.name, metrics)
    return digest


def span_of(piece: Piece) -> tuple[float, float] | None:
    """Return the first and the last time of all rows of a piece, on its own clock."""
    spans = [time_span(piece.name, table) for table in read_batches(piece.name, piece.path)]
    known = [span for span in spans if span is not None]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else None


def analyse_digest(piece: Piece, digest: pa.Table) -> Analysis:
    """Return what the analyst of this evidence alone finds."""
    return analyse(_witness(piece, digest))


def refute_all(piece: Piece, digest: pa.Table, candidates: list[Candidate]) -> list[Refutation]:
    """Return what this evidence says to each of *candidates*, which others proposed."""
    witness = _witness(piece, digest)
    return [refute(witness, candidate) for candidate in candidates]


def describe_digest(piece: Piece, digest: pa.Table, limit_chars: int) -> str:
    """Return the digest as text for one context."""
    return describe(_witness(piece, digest), limit_chars)


def services_seen(piece: Piece, digest: pa.Table) -> list[str]:
    """Return the services of which the evidence shows anything."""
    return services_of(_witness(piece, digest))


def signs_seen(piece: Piece, digest: pa.Table) -> list[str]:
    """Return the signs that this kind of evidence can show."""
    return sorted(_witness(piece, digest).reading)


def _witness(piece: Piece, digest: pa.Table) -> Witness:
    return Witness(piece.name, piece.kind, READ[piece.kind](digest))
