"""Ways to rank, side by side: `python -m commedia.benchmarks.sorting` prints one table a setting.

Simulated judges only. `-o FILE.parquet` keeps the rows, `--picture FILE.svg` draws tau against
tokens. Where the recorded tables are, every method also gets the same tokens on each of them.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..actors.bracket import Progress, Ranking
from ..actors.questions import Question
from ..actors.simulation.judge import REFERENCE, Bench, JudgeProfile
from ..actors.simulation.keyed import text_keys
from ..actors.simulation.world import utilities
from ..patterns.ranking.score import score_against
from .cases import SCALE
from .entrants import LIST, TARGET, Entrant, entrants, entrants_for, ours
from .picture import Series, chart
from .rows import Row, render
from .sort_bars import DATA
from .trial import Floats, Ints, play, tokens_per_call

HEADER = """\
Ways to rank, SIMULATED: judges whose truth is known; no model was asked. Mean of {seeds} seeds.
Judge: logistic noise, position bias 0.4 logit; who is asked the same again answers afresh, as votes
hope (of real judges about half the noise stays: on the recorded tables below half of it does).
Tokens are input + 5 x output: 200 a call, 300 an item, 10 out for a pair, 10 + 4k for a list.
Ours stop by themselves at a predicted tau of 0.90; the others where their algorithm ends."""

GROWTH = 1.4
"""On the way, tau is taken each time the tokens spent have grown by this factor."""

STEADY = replace(REFERENCE, per_pair=0.5)
"""A judge half of whose noise stays when it is asked the same again."""

TABLES = {
    "heights of 200 players": (Path("sort_truth") / "nba_heights.parquet", "value"),
    "RustSec advisories by CVSS": (Path("tickets") / "rustsec_advisories.parquet", "cvss_score"),
}


@dataclass(frozen=True, slots=True)
class Result:
    """A method on one setting, means over seeds; *curve* is tau by tokens on the way."""

    method: str
    question: str
    n: int
    accuracy: float
    seeds: int
    calls: float
    tokens: float
    rounds: float
    tau: float
    recall_at_10: float
    cpu_s: float
    is_ours: bool
    curve: tuple[tuple[float, float], ...] = ()


class Afresh:
    """A simulated judge who answers each repetition of a question with new noise."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._asked: Counter[tuple[str | int, ...]] = Counter()

    def __call__(self, question: Question, shown: Ints) -> Ints:
        """Judge each row of *shown*."""
        repeat = np.zeros(len(shown), np.int64)
        for place, row in enumerate(shown.tolist()):
            key = (question.kind, *row)
            repeat[place] = self._asked[key]
            self._asked[key] += 1
        return self._bench.answer(question, shown, repeat=repeat)


class Watched:
    """A `Ranking` whose tau is taken on the way; *curve* holds (tokens, tau) by checkpoint."""

    def __init__(self, ranking: Ranking, truth: Floats, first: float) -> None:
        self._ranking, self._truth = ranking, truth
        self._tokens, self._next = 0, first
        self.curve: list[tuple[float, float]] = []

    def next_matches(self, limit: int | None = None) -> pa.RecordBatch:
        """Return the next round."""
        return self._ranking.next_matches(limit)

    def prepare(self) -> None:
        """Get ready."""
        self._ranking.prepare()

    def record(self, outcomes: pa.RecordBatch) -> None:
        """Take a round's outcomes, and the tau where enough was spent since the last."""
        self._ranking.record(outcomes)
        task = outcomes.column("task")
        counts = np.bincount(task.indices.to_numpy(), minlength=len(task.dictionary))
        for word, count in zip(task.dictionary.to_pylist(), counts.tolist(), strict=True):
            self._tokens += count * tokens_per_call(Question.parse(word))
        if self._tokens >= self._next:
            standing = self._ranking.standing()
            items, score = standing.column("item").to_numpy(), standing.column("score").to_numpy()
            self.curve.append((self._tokens, score_against(self._truth[items], score).tau_b))
            while self._next <= self._tokens:
                self._next *= GROWTH

    def exclude(self, item: int) -> None:
        """Take *item* out."""
        self._ranking.exclude(item)

    def standing(self) -> pa.RecordBatch:
        """Return the ranking so far."""
        return self._ranking.standing()

    def progress(self) -> Progress:
        """Return where the ranking stands."""
        return self._ranking.progress()


def compare(
    n: int,
    accuracy: float,
    *,
    seeds: int,
    only: Sequence[str] = (),
    profile: JudgeProfile = REFERENCE,
) -> list[Result]:
    """Let every entrant (whose name begins with one of *only*) rank *n* items, to its end."""
    chosen = [e for e in entrants() if not only or any(e.name.startswith(name) for name in only)]
    worlds = [_world(n, accuracy, seed) for seed in range(seeds)]
    return [measure(entrant, worlds, accuracy, profile) for entrant in chosen]


def same_budget(
    truth: Floats,
    tokens: float,
    *,
    accuracy: float = 0.85,
    seeds: int = 5,
    profile: JudgeProfile = STEADY,
) -> list[Result]:
    """Rank items of which *truth* is known by every method, each cut off at *tokens*."""
    worlds = [(truth, utilities(truth, accuracy))] * seeds
    field = entrants_for(len(truth), tokens)
    return [measure(one, worlds, accuracy, profile, most_tokens=tokens) for one in field]


def measure(
    entrant: Entrant,
    worlds: Sequence[tuple[Floats, Floats]],
    accuracy: float,
    profile: JudgeProfile,
    *,
    most_tokens: float = np.inf,
) -> Result:
    """Play *entrant* once in each of *worlds* (truth and utilities), the place being the seed."""
    judge = replace(profile, accuracy=accuracy)
    trials, curves = [], []
    for seed, (truth, utility) in enumerate(worlds):
        n = len(truth)
        keys = text_keys([str(item) for item in range(n)])
        watched = Watched(entrant.make(n, seed), truth, 100.0 * n)
        answer = Afresh(Bench(judge, seed, "worth", utility, keys))
        trials.append(play(watched, answer, truth, most_tokens=most_tokens))
        curves.append(watched.curve)
    means = {
        name: float(np.mean([getattr(trial, name) for trial in trials]))
        for name in ("calls", "tokens", "rounds", "tau", "cpu_s")
    }
    steps = min(len(curve) for curve in curves)
    curve = np.mean([points[:steps] for points in curves], axis=0).tolist() if steps else []
    known = {point[0]: point[1] for point in curve if point[0] < means["tokens"]}
    return Result(
        method=entrant.name,
        question=str(entrant.question),
        n=len(worlds[0][0]),
        accuracy=accuracy,
        seeds=len(worlds),
        recall_at_10=float(np.mean([trial.recall for trial in trials])),
        is_ours=entrant.is_ours,
        curve=(*known.items(), (means["tokens"], means["tau"])),
        **means,
    )


def _world(n: int, accuracy: float, seed: int) -> tuple[Floats, Floats]:
    """Return normal truths and what they are in logits."""
    drawn = np.random.default_rng([seed, 5]).standard_normal(n)
    scale = SCALE.get(accuracy)
    return drawn, utilities(drawn, accuracy) if scale is None else drawn * scale


def table(results: Sequence[Result]) -> str:
    """Return *results* as a table in plain text."""
    wide = max([len(each.method) for each in results] + [20])
    head = f"{'method':{wide}}  {'question':8} {'calls':>9} {'Mtok':>7} {'rounds':>7}"
    lines = [f"{head} {'tau':>6} {'rec@10':>6} {'CPU s':>7}"]
    for r in results:
        cost = f"{r.calls:9,.0f} {r.tokens / 1e6:7.2f} {r.rounds:7,.0f}"
        lines.append(
            f"{r.method:{wide}}  {r.question:8} {cost} {r.tau:6.3f} {r.recall_at_10:6.2f}"
            f" {r.cpu_s:7.2f}"
        )
    return "\n".join(lines)


def expectations(results: Sequence[Result]) -> list[Row]:
    """Return what was published of 1,000 items and a judge of 85%, beside what is seen here.

    They are no bars: they are our own measurements of sketches of these methods, before any was
    written here. The one marked (*) had a judge four fifths of whose noise stays.
    """
    seen = {each.method: each for each in results if (each.n, each.accuracy) == (1000, 0.85)}
    said: dict[str, tuple[str, str]] = {
        "merge, 15 votes": (
            "{0.calls:,.0f} calls, {1:.0f} Mtok, {0.tau:.3f}",
            "130,400, 111, .906",
        ),
        "random": ("{0.calls:,.0f} calls, {0.tau:.3f}", "33,110 for .90"),
        "swiss-bt": ("{0.calls:,.0f} calls, {0.rounds:.0f}, {0.tau:.3f}", "18,230, 37, .90"),
        "swiss": ("{0.calls:,.0f} calls, {0.tau:.3f}", "never; 24,000, .871"),
        "merge": ("{0.calls:,.0f} calls, {0.tau:.3f}", "8,566, .705"),
        "quick": ("{0.calls:,.0f} calls, {0.tau:.3f}", "never; 9,324, .697"),
        "heap": ("{0.calls:,.0f} calls, {0.tau:.3f}", "never; 14,636, .683"),
        "pointwise": ("{0.calls:,.0f} calls, {0.tau:.3f}", "never; 1,000, .717"),
        "pointwise, 5 votes": ("{0.calls:,.0f} calls, {0.tau:.3f}", "5,000, .719 (*)"),
        "window": ("{0.calls:,.0f} calls, {0.tau:.3f}", "never; 990, .270"),
        "ours, list:10": ("{0.calls:,.0f} calls, {0.tau:.3f}", "2,090 for .90"),
        "ours, graded": ("{0.calls:,.0f} calls, {0.tau:.3f}", "12,670 for .90"),
        "ours, pair": ("{0.calls:,.0f} calls, {0.tau:.3f}", "18,730 for .90"),
    }
    return [
        Row(name, form.format(seen[name], seen[name].tokens / 1e6), published)
        for name, (form, published) in said.items()
        if name in seen
    ]


def recorded(data: Path, *, accuracy: float, seeds: int) -> list[str]:
    """Return a table for each recorded truth in *data*, all methods given the same tokens.

    That is what ours asking lists takes until 0.90, and four times as much.
    """
    parts = [
        f"\n{name}: skipped, there is no {data / path}"
        for name, (path, _) in TABLES.items()
        if not (data / path).exists()
    ]
    for times in (1, 4):
        found = recorded_results(data, accuracy=accuracy, seeds=seeds, times=times)
        for name, results in found:
            parts += [f"\n{name}", table(sorted(results, key=lambda r: -r.tau))]
    return parts


def recorded_results(
    data: Path, *, seeds: int, accuracy: float = 0.85, times: int = 1
) -> Iterator[tuple[str, list[Result]]]:
    """Yield what each recorded truth in *data* is, and how every method ranks it, given *times* the
    tokens that ours asking lists takes until 0.90."""
    for name, (path, column) in TABLES.items():
        if not (data / path).exists():
            continue
        values = pq.read_table(data / path, columns=[column])[column].drop_null()
        truth = np.array(values.to_pylist(), np.float64)
        worlds = [(truth, utilities(truth, accuracy))] * seeds
        tokens = times * measure(ours(LIST, target=TARGET), worlds, accuracy, STEADY).tokens
        cap = score_against(truth, truth + np.linspace(0, 1e-9, len(truth))).tau_b_cap
        title = (
            f"{name}, N = {len(truth)}: {tokens / 1e6:.2f} Mtok each"
            f" (tau-b of an order without ties: {cap:.3f} at most)"
        )
        yield title, same_budget(truth, tokens, accuracy=accuracy, seeds=seeds)


def write(results: Sequence[Result], path: Path) -> None:
    """Write *results* as Parquet, a row a method and setting; a curve as lists of its two axes."""
    names = [each.name for each in fields(Result) if each.name != "curve"]
    columns = {name: [getattr(result, name) for result in results] for name in names}
    columns["curve_tokens"] = [[x for x, _ in result.curve] for result in results]
    columns["curve_tau"] = [[y for _, y in result.curve] for result in results]
    pq.write_table(pa.table(columns), path)


def draw(results: Sequence[Result]) -> str:
    """Return the picture of one setting: tau against tokens."""
    first = results[0]
    return chart(
        [
            Series(f"{r.method} ({r.tau:.2f})", [(x / 1e6, y) for x, y in r.curve if x], r.is_ours)
            for r in results
        ],
        title=f"N = {first.n:,}, judge right on {first.accuracy:.0%} of random pairs (simulated)",
        x="Mtok spent (input + 5 x output)",
        y="Kendall's tau against the truth",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables asked for, and write what is wanted of them."""
    parser = argparse.ArgumentParser("python -m commedia.benchmarks.sorting", description=__doc__)
    parser.add_argument("--n", default="1000", help="items, several separated by commas")
    parser.add_argument("--accuracy", default="0.85", help="of the judge on random pairs, likewise")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="methods whose names begin so, likewise")
    parser.add_argument("--data", type=Path, default=DATA, help="where the recorded tables are")
    parser.add_argument("-o", dest="output", type=Path, help="write the rows to this Parquet file")
    parser.add_argument("--picture", type=Path, help="draw tau against tokens to this SVG file")
    chosen = parser.parse_args(arguments)
    only = [name for name in chosen.only.split(",") if name]
    sizes = [int(each) for each in chosen.n.split(",")]
    accuracies = [float(each) for each in chosen.accuracy.split(",")]
    sys.stdout.write(HEADER.format(seeds=chosen.seeds) + "\n")
    kept: list[Result] = []
    settings = [(n, accuracy) for n in sizes for accuracy in accuracies]
    for n, accuracy in settings:
        results = compare(n, accuracy, seeds=chosen.seeds, only=only)
        if not results:
            parser.error(f"no method's name begins with {chosen.only}")
        _say(f"\nN = {n:,}, judge right on {accuracy:.0%} of random pairs\n{table(results)}")
        if chosen.picture:
            mark = f"-{n}-{accuracy:g}" if len(settings) > 1 else ""
            chosen.picture.with_stem(chosen.picture.stem + mark).write_text(draw(results))
        kept += results
    if rows := expectations(kept):
        _say(render("seen here, and published (no bars)", rows))
    for part in recorded(chosen.data, accuracy=accuracies[0], seeds=chosen.seeds):
        _say(part)
    if chosen.output:
        write(kept, chosen.output)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
