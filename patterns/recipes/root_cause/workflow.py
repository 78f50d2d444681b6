"""The hunt for an incident's root cause: one analyst a kind of evidence, a panel, a ranking.

Each analyst sees its own evidence alone, digested into what fits a context. What one proposes the
others try to refute, each from another kind of evidence; the ranking is made by code, and what it
cites is checked by code.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import AfterValidator, Field

from ....actors.errors import UsageError
from ....supervisor.run import Run
from ....supervisor.workflow import workflow
from . import models
from .answers import Analysis, Candidate, Refutation, Report
from .errors import EmptyWindowError
from .evidence import Windows, seconds
from .files import check_files
from .steps import (
    Piece,
    add_up,
    analyse_digest,
    describe_digest,
    digest_part,
    refute_all,
    services_seen,
    signs_seen,
    span_of,
    survey,
)
from .synthesis import Hypothesis, hypotheses, synthesize
from .times import check_baseline, check_time, span

Digested = tuple[Piece, pa.Table]


@workflow(name="root_cause", needs_model=False)
async def root_cause(
    run: Run,
    incident: str,
    evidence: Annotated[dict[str, Path], AfterValidator(check_files)],
    at: Annotated[str, AfterValidator(check_time)],
    baseline: Annotated[str | None, AfterValidator(check_baseline)] = None,
    horizon_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 180.0,
) -> Report:
    """Hunt for an incident's root cause over evidence of several kinds.

    Without a model the analysts are shipped code; on a model (--model) they are readers in
    quarantine. Every cause cites rows of the evidence, as NAME:ROW, counted from 0. Evidence that
    has no rows where they are needed is left out, and the report says so.

    Kinds of fault: cpu_contention (another process takes the processor), cpu_consumed (its own
    code burns it), network_delay (its packets are late), exception (its control flow is cut),
    return (a call returns the wrong thing, and the flow goes on by another branch). `share` is how
    sure the service is, `kind_share` how sure the kind; `other_kinds` has what speaks otherwise.

    Args:
        incident: what happened, in a sentence
        evidence: tables by name, as logs=app.parquet: logs, spans, metrics (told by their
            columns; a metric is a column, or a row has metric and value; those with cpu in their
            name are read), or events (told by a name such as deploys, releases, changes, events,
            sales, flags; any other table with a time is taken for events as well); .parquet, .csv
            or .jsonl
        at: when it began: ISO 8601 (UTC unless it says otherwise), or a number on the evidence's
            own clock
        baseline: what to compare with, as FROM/TO; by default all before the incident, and rows
            whose column `baseline` is true
        horizon_s: how many seconds from its beginning belong to the incident
    """
    windows = _windows(at, baseline, horizon_s)
    with run.phase("Digest"):
        digested, left_out = await _digest(run, evidence, windows)
    with run.phase("Analyse"):
        analyses = await _analyse(run, incident, digested)
    with run.phase("Refute"):
        panel = await _refute(run, incident, digested, analyses)
    with run.phase("Rank"):
        return _rank(run, digested, analyses, panel, left_out)


async def _digest(
    run: Run, evidence: dict[str, Path], windows: Windows
) -> tuple[Sequence[Digested], dict[str, str]]:
    """Return each piece of evidence with its digest, and why each other one is left out."""

    async def whole(piece: Piece, parts: list[pa.Table]) -> Digested:
        try:
            return piece, add_up(piece, parts)
        except EmptyWindowError as error:
            span = await run.tool(span_of, piece=piece)
            raise EmptyWindowError(error.name, error.window, span) from None

    read = await run.parallel(
        [partial(_read, run, name, evidence[name], windows) for name in sorted(evidence)],
        on_error="raise",
    )
    digested = await run.parallel([partial(whole, *each) for each in read], on_error="collect")
    left_out = {read[one.place][0].name: str(one.error) for one in digested.failed}
    for why in left_out.values():
        run.log(f"left out: {why}")
    if not digested:
        raise UsageError(f"no evidence can be used: {'; '.join(left_out.values())}")
    return digested, left_out


async def _read(run: Run, name: str, path: Path, windows: Windows) -> tuple[Piece, list[pa.Table]]:
    """Return a piece of evidence and the digests of its shards."""
    piece = await run.tool(survey, name=name, path=path.absolute())
    parts = await run.parallel(
        [
            run.tool(digest_part, piece=piece, windows=windows, number=number)
            for number in range(piece.shards)
        ],
        on_error="raise",
    )
    return piece, parts


def _rank(
    run: Run,
    digested: Sequence[Digested],
    analyses: dict[str, Analysis],
    panel: dict[Hypothesis, dict[str, Refutation]],
    left_out: dict[str, str],
) -> Report:
    sizes = {piece.name: piece.rows for piece, _ in digested}
    services = {name for piece, table in digested for name in services_seen(piece, table)}
    report = synthesize(analyses, panel, sizes, services=len(services), left_out=left_out)
    for reference in report.rejected:
        run.log(f"rejected: {reference} is no row of the evidence of who cites it")
    return report


async def _analyse(run: Run, incident: str, digested: Sequence[Digested]) -> dict[str, Analysis]:
    async def look(piece: Piece, table: pa.Table) -> Analysis:
        if run.model == "none":
            return await run.tool(analyse_digest, piece=piece, digest=table)
        text = describe_digest(piece, table, models.LIMIT_CHARS)
        seen = services_seen(piece, table), signs_seen(piece, table)
        return await models.analyse(run, incident, piece, text, *seen)

    found = await run.parallel(
        [partial(look, piece, table) for piece, table in digested], on_error="collect"
    )
    names = [digested[place][0].name for place in found.places]
    return dict(zip(names, found, strict=True))


async def _refute(
    run: Run, incident: str, digested: Sequence[Digested], analyses: dict[str, Analysis]
) -> dict[Hypothesis, dict[str, Refutation]]:
    """Return what each piece of evidence says to each hypothesis that others proposed."""
    proposed = hypotheses(analyses)

    async def hear(piece: Piece, table: pa.Table) -> dict[Hypothesis, Refutation]:
        own = analyses.get(piece.name)
        mine = {(one.service, one.kind) for one in own.candidates} if own else set()
        others = {key: one for key, one in proposed.items() if key not in mine}
        return dict(
            zip(others, await _hear(run, incident, piece, table, [*others.values()]), strict=True)
        )

    heard = await run.parallel(
        [partial(hear, piece, table) for piece, table in digested], on_error="collect"
    )
    panel: dict[Hypothesis, dict[str, Refutation]] = {key: {} for key in proposed}
    for place, said in zip(heard.places, heard, strict=True):
        for key, refutation in said.items():
            panel[key][digested[place][0].name] = refutation
    return panel


async def _hear(
    run: Run, incident: str, piece: Piece, table: pa.Table, candidates: list[Candidate]
) -> list[Refutation]:
    if run.model == "none":
        return await run.tool(refute_all, piece=piece, digest=table, candidates=candidates)
    text = describe_digest(piece, table, models.LIMIT_CHARS)
    said = await run.parallel(
        [partial(models.refute, run, incident, piece, text, one) for one in candidates]
    )
    silent = Refutation(stance="cannot see", reason=f"the refuter from {piece.name} abstained")
    return [each or silent for each in said]


def _windows(at: str, baseline: str | None, horizon_s: float) -> Windows:
    since, until = (None, None) if baseline is None else span(baseline)
    return Windows(seconds(at), horizon_s=horizon_s, since=since, until=until)
