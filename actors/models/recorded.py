"""A judge that is a record: comparisons are answered with what was answered before.

`recorded:FILE` is a Parquet table of verdicts on pairs, one row a call: *item_id*, the candidates
*cand_x* and *cand_y*, the *winner* (x, y or tie; null: none could be read), and if known
*shown_first* (x or y) and *rep*. An output's id is "<item_id>/<candidate>". `recorded:FOLDER` is
that of an earlier run: its matches answer again, by the ids that they showed. What follows a
question mark filters rows by columns: `recorded:FILE?judge=NAME&protocol=NAME`.

All that counts is one judge's: of several, one is chosen by such a filter. A record of a simulated
judge is simulated too.

A verdict is looked up in the order shown. Where that order was not recorded, or nobody noted it,
the verdict of the other order (or of whichever it was) stands in, so position bias cannot be told
from such a record. What was never asked is a failed call, reason `unrecorded`, and so is what was
asked in this very order and never answered readably.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..answers import Asked, Preference, write_answer
from ..errors import UsageError
from ..messages import ModelSpec
from ..questions import Question
from ..simulation.keyed import text_key
from ..tables import text_hash
from .wire import Attempt, Request, Usage, most_tokens_out

PREFIX: Final = "recorded:"
VERDICTS: Final = ("item_id", "cand_x", "cand_y", "winner")
MATCHES: Final = ("ids", "question", "by", "status", "grade", "order")
"""The columns that a table of verdicts, or of a run's matches, must have."""

_MOST_NAMED: Final = 6
_SIMULATED: Final = (b"commedia.simulated", b"simulated")
"""What the metadata of a file may say it under: those of runs have names of their own."""

_GRADES: Final = {"x": 1, "tie": 0, "y": -1}

Ids = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where recorded verdicts are: a file or a run's folder, and which rows of it count."""

    path: Path
    filters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, name: str) -> "Source":
        """Read `recorded:PATH` or `recorded:PATH?column=value&...`; raises UsageError."""
        path, _, query = name.removeprefix(PREFIX).partition("?")
        if not path:
            raise UsageError("recorded: needs a table of verdicts or a run: recorded:FILE")
        try:
            filters = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        except ValueError as error:
            raise UsageError(
                f"{query!r} is no filter; write ?judge=NAME&protocol=NAME after the file"
            ) from error
        return cls(Path(path), tuple(filters))

    def rows(self) -> pa.Table:
        """Return the rows that count; raises UsageError where they cannot be read."""
        path, parts = self.path, self._parts()
        if not parts or not path.exists():
            what = "run with matches" if path.is_dir() else "file"
            raise UsageError(f"there is no {what} {path} to answer from")
        try:
            read = [pq.ParquetFile(part).read() for part in parts]
            rows = pa.Table.from_batches([b for table in read for b in table.to_batches()])
        except (pa.ArrowException, OSError) as error:
            raise UsageError(
                f"{path} is no Parquet table of recorded verdicts; it needs the columns "
                f"{', '.join(VERDICTS)}, and may have shown_first, rep and judge"
            ) from error
        lacking = {*MATCHES} if path.is_dir() else {*VERDICTS}
        lacking = (lacking | {column for column, _ in self.filters}) - {*rows.column_names}
        if lacking:
            raise UsageError(f"{path} lacks what it needs: column {', '.join(sorted(lacking))}")
        for column, value in self.filters:
            kept = pc.equal(pc.cast(rows.column(column), pa.string()), value)
            rows = rows.filter(kept)
            if not rows.num_rows:
                raise UsageError(f"no row of {path} has {column} {value!r}")
        self._check_judges(rows)
        return rows

    def question(self) -> str | None:
        """Return the one question that all rows answer; None where they answer several."""
        if not self.path.is_dir():
            return "pair"
        told = pc.unique(self.rows()["question"]).to_pylist()
        asked = {str(replace(Question.parse(each), why=False)) for each in told}
        if asked == {"pair", "graded"}:  # of these, the one tells the other
            return "graded"
        return str(asked.pop()) if len(asked) == 1 else None

    def is_simulated(self) -> bool:
        """Whether these verdicts are a simulated judge's; False where that is not on record."""
        try:
            account = self.path / "run.json"  # a server says what it is after the run began
            if account.exists() and json.loads(account.read_bytes()).get("simulated"):
                return True
            return any(_says_simulated(part) for part in self._parts())
        except (pa.ArrowException, OSError, ValueError, AttributeError):
            return False

    def strange_texts(self, ids: Sequence[str], texts: Sequence[str]) -> list[str]:
        """Return which of *ids* had another text when they were judged, where that is on record."""
        rows = self.rows()
        if not self.path.is_dir() or "text_hashes" not in rows.column_names:
            return []
        known: dict[str, str] = {}
        for shown, hashes in zip(
            *(rows[n].to_pylist() for n in ("ids", "text_hashes")), strict=True
        ):
            known.update(zip(shown, hashes, strict=True))
        return [
            id
            for id, text in zip(ids, texts, strict=True)
            if known.get(id, digest := text_hash(text)) != digest
        ]

    def _parts(self) -> list[Path]:
        """Return the files that the rows are in."""
        is_run = self.path.is_dir()
        return sorted((self.path / "matches").glob("round-*.parquet")) if is_run else [self.path]

    def _check_judges(self, rows: pa.Table) -> None:
        """Raise UsageError where several judges gave these verdicts."""
        if "judge" not in rows.column_names:
            return
        judges = sorted({str(judge) for judge in pc.unique(rows["judge"]).to_pylist()})
        if len(judges) > 1:
            named = ", ".join(judges[:_MOST_NAMED]) + (", ..." if judges[_MOST_NAMED:] else "")
            raise UsageError(
                f"{self.path} holds verdicts of {len(judges)} judges ({named}); choose one, as in "
                f"{PREFIX}{self.path.name}?judge={judges[0]}, or name several as a panel"
            )

    def open(self) -> "Verdicts":
        """Return the verdicts; raises UsageError where they cannot be read."""
        rows = self.rows()
        return _of_matches(rows) if self.path.is_dir() else _of_verdicts(rows)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One recorded answer about *ids* as shown: a *grade* from the first one's side, or ids best
    first. *rep* counts repetitions of one call."""

    ids: Ids
    rep: int = 0
    grade: int | None = None
    order: Ids | None = None

    def answers(self, question: Question, ids: Ids) -> Preference | None:
        """Return the answer to *question* about these *ids*, in whatever order they were shown."""
        if self.order is not None:
            return Preference(order=tuple(ids.index(one) for one in self.order))
        if self.grade is None:
            return None
        grade = self.grade if ids == self.ids else -self.grade
        return Preference(grade=max(min(grade, 1), -1) if question.kind == "pair" else grade)


@dataclass(slots=True)
class Verdicts:
    """Recorded answers by what was shown: in that order, and in any."""

    exact: dict[tuple[str, str, Ids], list[Verdict]] = field(default_factory=dict)
    loose: dict[tuple[str, str, Ids], list[Verdict]] = field(default_factory=dict)
    knows_by: bool = False

    def add(self, kind: str, by: str, verdict: Verdict, *, is_order_known: bool = True) -> None:
        """Keep a *verdict* on a question of this *kind* (pairs are alike, graded or not)."""
        ids = verdict.ids
        if is_order_known:
            self.exact.setdefault((kind, by, ids), []).append(verdict)
        self.loose.setdefault((kind, by, tuple(sorted(ids))), []).append(verdict)

    def note_unread(self, kind: str, ids: Ids) -> None:
        """Keep that *ids* were asked about in this order: no other order's verdict stands in."""
        self.exact.setdefault((kind, "", ids), [])

    def find(self, question: Question, by: str, ids: Ids, repeat: int) -> Preference | None:
        """Return the answer to *question*; None where none was recorded.

        Of several repetitions *repeat* chooses, of several verdicts beside each other a key.
        """
        kind, by = _alike(question.kind), by if self.knows_by else ""
        found = self.exact.get((kind, by, ids))
        if found is None:
            found = self.loose.get((kind, by, tuple(sorted(ids))))
        if not found:
            return None
        reps = sorted({verdict.rep for verdict in found})
        mine = [verdict for verdict in found if verdict.rep == reps[repeat % len(reps)]]
        chosen = mine[int(text_key("recorded", *ids, repeat)) % len(mine)]
        return chosen.answers(question, ids)


class RecordedClient:
    """The Client of a record: a lookup stands where an HTTP request would.

    The record is read when it is first asked, so in the gateway's process and nowhere else.
    """

    def __init__(self, name: str) -> None:
        self._source = Source.parse(name)
        self._verdicts: Verdicts | None = None

    def max_tokens(self, asked: Asked) -> int:
        """Return the room for an answer to *asked*."""
        return most_tokens_out(asked)

    def is_strict(self) -> bool:
        """Whether strict output is asked for: a record needs no asking."""
        return True

    async def attempt(self, request: Request, *, max_tokens: int, timeout_s: float) -> Attempt:
        """Look one comparison up; free of charge."""
        try:
            self._verdicts = self._verdicts or self._source.open()
        except UsageError as error:
            return Attempt("not_found", text=str(error), reason="record")
        spec = json.loads(request.spec or "{}")
        if not isinstance(request.question, Question) or "items" not in spec:
            return _failed("not_a_comparison")
        ids, repeat = tuple(spec["items"]), spec.get("repeat") or 0
        verdict = self._verdicts.find(request.question, spec.get("by") or "", ids, repeat)
        if verdict is None:
            return _failed("unrecorded")
        text = write_answer(request.question, verdict)
        return Attempt("ok", text, Usage(), served_model="recorded")

    async def declared(self) -> Mapping[str, Any] | None:
        """Say so where the recorded verdicts were simulated ones; None where they were real."""
        return {"simulated": True} if self._source.is_simulated() else None

    async def close(self) -> None:
        """Let go of the record."""
        self._verdicts = None


def is_simulated(model: ModelSpec) -> bool:
    """Whether *model*, or one of its panel, is a simulated judge or the record of one.

    Of a server that simulates this is not known before it has answered.
    """
    return any(
        judge.is_simulated or (judge.is_recorded and Source.parse(judge.name).is_simulated())
        for judge in model.judges
    )


def _says_simulated(file: Path) -> bool:
    metadata = pq.read_metadata(file).metadata or {}
    return any(metadata.get(key) in (b"yes", b"true") for key in _SIMULATED)


def _failed(reason: str) -> Attempt:
    return Attempt("script_failed", reason=reason)


def _alike(kind: str) -> str:
    return "pair" if kind == "graded" else kind


def _of_verdicts(rows: pa.Table) -> Verdicts:
    """Index a table of verdicts on pairs; what could not be read was not answered."""
    found = Verdicts()
    nothing = pa.nulls(rows.num_rows)
    names = (*VERDICTS, "shown_first", "rep")
    columns = [rows[n] if n in rows.column_names else nothing for n in names]
    for item, x, y, winner, first, rep in zip(*(c.to_pylist() for c in columns), strict=True):
        ids = f"{item}/{x}", f"{item}/{y}"
        ids, turned = (ids[::-1], -1) if first == "y" else (ids, 1)
        if winner in _GRADES:
            verdict = Verdict(ids, rep or 0, turned * _GRADES[winner])
            found.add("pair", "", verdict, is_order_known=first is not None)
        elif first is not None:
            found.note_unread("pair", ids)
    return found


def _of_matches(rows: pa.Table) -> Verdicts:
    """Index the matches of a run, by the quality that was asked about as well."""
    found = Verdicts(knows_by=True)
    for ids, asked, by, status, grade, order in zip(
        *(rows[name].to_pylist() for name in MATCHES), strict=True
    ):
        if status == "ok":
            best = None if order is None else tuple(order)
            verdict = Verdict(tuple(ids), grade=grade, order=best)
            found.add(_alike(Question.parse(asked).kind), by, verdict)
    return found
