"""Rankings of systems on REAL judgments: `python -m commedia.benchmarks.judgments`.

People and models judged these outputs years ago; nothing is simulated, and nothing is asked.
Exits 1 when a bar is missed.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, groupby
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..actors.models.recorded import Source
from ..actors.questions import Question
from ..actors.tables import OUTCOMES
from ..patterns.ranking.league import League
from ..patterns.ranking.likelihood import Bools, Floats, Ints, sigmoid
from ..patterns.ranking.posterior import rank_intervals
from ..patterns.ranking.robust import Verdicts, fit_robust
from ..patterns.ranking.score import tau_b
from .rows import Row, at_least, at_most, render, within

HEADER = """\
Rankings of systems on REAL judgments, recorded; no model was asked and nothing is simulated.
choix (alpha by hindsight, ties dropped or halved, whichever does best) is the yardstick.
Shares of a fifth: {seeds} seeds for leaderboards ({more} where that takes seconds), by League's
schedule and at random; tau-b is against choix on all verdicts of that judge,
+- is one standard error."""

DATA = Path(__file__).parents[2] / "shared" / "data"
SLACK: Final = 0.0005
ALPHAS: Final = (1e-5, 1e-3, 1e-2)
SHARE: Final = 0.2
DRAWS: Final = 50
FEW: Final = 200
MORE: Final = 5
"""Leaderboards of few systems are played so many times as often: chance moves each by one place."""

Z90: Final = 1.6448536269514722

PANDALM: Final = ("annotator1", "annotator2", "annotator3", "gpt-3.5-turbo", "pandalm-7b")
MTBENCH: Final = ("gemini-pro", "gpt-4-0613")
DEVBENCH: Final = ("claude-3-haiku-20240307", "gemini-pro", "gpt-3.5-turbo-0125", "gpt-4-0613")
REPEATED: Final = ("claude-3-sonnet-20240229", "gpt-4-1106-preview")
"""Judges of whom there are only 84 or 56 pairs, asked three times: the first time is printed, and
22 to 34 verdicts on five systems are held to nothing."""
PLAIN: Final = ("CoT", "Vanilla", "Vanilla_NoRules", "Vanilla_1shot", "Vanilla_2shot")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the benchmark runs."""

    seeds: int = 20
    data: Path = DATA


def rankings(settings: Settings) -> list[Row]:
    """WMT13: 8,237 five-way rankings of 13 translation systems by people, ties allowed."""
    path = settings.data / "judgments_unlicensed_facts" / "wmt13_human_rankings.parquet"
    if not path.exists():
        return [Row(f"skipped: there is no {path.name}", "")]
    n, all_ = read_rankings(path)
    count = int(all_.cluster.max()) + 1
    splits = [np.arange(count) < 0.8 * count]
    splits += [np.random.default_rng([seed, 80]).random(count) < 0.8 for seed in range(10)]
    found = [_held_out(n, all_, known) for known in splits]
    first, *more = [ours - theirs for ours, theirs in found]
    rows = [Row("log loss of decided pairs, split in time: choix", f"{found[0][1]:.5f}")]
    rows.append(at_most("ours - choix, split in time", first, SLACK, "+.5f"))
    rows.append(at_most("ours - choix, most of 10 random splits", max(more), SLACK, "+.5f"))
    rows.append(Row("ours - choix, mean of 10 random splits", f"{np.mean(more):+.5f}"))
    covered = [_covered(n, all_, seed) for seed in range(DRAWS)]
    held, rounded, own, ours, theirs = (float(each) for each in np.mean(covered, axis=0))
    name = f"90% rank intervals from a tenth, {DRAWS} draws: "
    return [
        *rows,
        within(name + "covered", held, 0.83, 0.97),
        Row(name + "as whole ranks", f"{rounded:.3f}"),
        Row(name + "by the model's own covariance", f"{own:.3f}"),
        Row("squared error of differences / variance, sandwich", f"{ours:.2f}"),
        Row("squared error of differences / variance, model's own", f"{theirs:.2f}"),
    ]


def leaderboards(settings: Settings) -> list[Row]:
    """Leaderboards from a fifth of the verdicts against all: League's schedule beside chance."""
    if not (settings.data / "judgments" / "pandalm.parquet").exists():
        return [Row("skipped: there are no judgments", "")]
    rows, gained = [], []
    for title, table in _tables(settings.data / "judgments"):
        seeds = settings.seeds * (MORE if table.n < 20 else 1)
        played = [table.play(seed) for seed in range(seeds)]
        ours, dropped, halved = np.array(played).T
        theirs = max(float(np.mean(dropped)), float(np.mean(halved)))
        gained.append(float(np.mean(ours)) - theirs)
        name = f"{title}, {table.n} systems, {table.budget} of {table.size}: "
        rows.append(Row(name + "tau ours / random", f"{np.mean(ours):.3f} / {theirs:.3f}"))
        error = float((np.var(ours) + np.var(dropped)) / seeds) ** 0.5
        said = f"{name}difference (+-{error:.3f})"
        if table.size < FEW:
            rows.append(Row(said, f"{gained.pop():+.3f}"))
        else:
            rows.append(at_least(said, gained[-1], -0.02, "+.3f"))
    rows.append(Row("median difference over judges", f"{np.median(gained):+.4f}"))
    rows.append(at_least("mean difference over judges", float(np.mean(gained)), 0.0, "+.4f"))
    return rows


def habits(settings: Settings) -> list[Row]:
    """LLMBar: position bias and flips from a fifth of the verdicts, against all that were counted.

    Intervals allow for the fifth being part of the whole.
    """
    path = settings.data / "judgments" / "llmbar.parquet"
    if not path.exists():
        return [Row("skipped: there is no llmbar.parquet", "")]
    rows: list[Row] = []
    all_: list[Floats] = []
    for judge, protocol, first in read_both_orders(path):
        rng = np.random.default_rng([len(all_), 20])
        held: Floats = np.mean([_habit_held(first, rng) for _ in range(5 * settings.seeds)], axis=0)
        all_.append(held)
        share, flips = float(first.mean()), float(np.mean(first.sum(1) != 1))
        counted = f"{judge} {protocol}, {len(first)} pairs: first {share:.3f}, flips {flips:.3f}"
        rows.append(Row(counted + "; held", " ".join(f"{each:.2f}" for each in held)))
    means = np.mean(all_, axis=0).tolist()
    for name, mean in zip(("share of the first", "flips", "bias in logits"), means, strict=True):
        rows.append(within(f"90% intervals of {name} held", mean, 0.83, 0.97))
    return rows


def read_rankings(path: Path) -> tuple[int, Verdicts]:
    """Return the number of systems, and every pair of every ranking, a ranking a cluster.

    Rankings are numbered as they stand in the file.
    """
    table = pq.read_table(path)
    names, where, number = np.unique(
        table["ranking_id"].to_numpy(), return_index=True, return_inverse=True
    )
    by_time = np.argsort(np.argsort(where))[number]
    order = np.lexsort((table["position"].to_numpy(), by_time))
    systems, system = np.unique(table["candidate"].to_numpy(), return_inverse=True)
    shape = (len(names), -1)
    shown = system[order].reshape(shape)
    rank = table["rank"].to_numpy().astype(np.int64)[order].reshape(shape)
    parts = []
    for one, other in combinations(range(shown.shape[1]), 2):
        lead = np.full(len(shown), (other - one) / (shown.shape[1] - 1.0))
        nobody = np.zeros(len(shown), np.int64)
        grade = np.sign(rank[:, other] - rank[:, one])
        columns = (shown[:, one], shown[:, other], grade, lead, np.arange(len(shown)), nobody)
        parts.append(Verdicts(*columns))
    return len(systems), Verdicts.all(parts)


def read_both_orders(path: Path) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    """Yield judge, protocol, and for each pair judged in both orders whether the first shown won:
    a row of two, by who was shown first. The recorded judge is asked, as any other is."""
    table = pq.read_table(path, columns=["judge", "protocol", "item_id", "cand_x", "cand_y"])
    asked = sorted({tuple(row.values()) for row in table.to_pylist() if row["protocol"] in PLAIN})
    for (judge, protocol), rows in groupby(asked, key=lambda row: row[:2]):
        found = Source.parse(f"recorded:{path}?judge={judge}&protocol={protocol}&rep=0").open()
        answers = []
        for _, _, item, x, y in rows:
            shown = f"{item}/{x}", f"{item}/{y}"
            if not all(("pair", "", ids) in found.exact for ids in (shown, shown[::-1])):
                continue  # an order without a readable verdict would be answered by the other's
            said = [found.find(Question("pair"), "", ids, 0) for ids in (shown, shown[::-1])]
            if grades := [each.grade for each in said if each is not None and each.grade]:
                answers.append([int(grade > 0) for grade in grades])
        yield judge, protocol, np.array([each for each in answers if len(each) == 2])


class Table:
    """All verdicts of one recorded judge, to play leagues on and to compare them with."""

    def __init__(self, name: str) -> None:
        source = Source.parse(name)
        rows = [row for row in source.rows().to_pylist() if row["winner"]]
        self._verdicts = source.open()
        names = sorted({row[side] for row in rows for side in ("cand_x", "cand_y")})
        number = {system: place for place, system in enumerate(names)}
        self.n, self.size, self.budget = len(names), len(rows), round(SHARE * len(rows))
        self._x, self._y = (
            np.array([number[row[side]] for row in rows]) for side in ("cand_x", "cand_y")
        )
        self._grade = np.array([{"x": 1, "tie": 0, "y": -1}[row["winner"]] for row in rows])
        outputs = {}  # a pair that was recorded is an item of its own: no other can be asked
        for row in rows:
            item = (row["item_id"], row["cand_x"], row["cand_y"])
            for side in ("cand_x", "cand_y"):
                outputs[item, number[row[side]]] = f"{row['item_id']}/{row[side]}"
        items = {item: place for place, item in enumerate(sorted({item for item, _ in outputs}))}
        self._ids = list(outputs.values())
        self._system = np.array([system for _, system in outputs])
        self._item = np.array([items[item] for item, _ in outputs])

    @cached_property
    def truth(self) -> Floats:
        """The strengths by choix on all verdicts, a tie counted as half a win for both."""
        return self._theirs(np.arange(self.size), halved=True)

    def play(self, seed: int) -> tuple[float, float, float]:
        """Return the tau-b of a fifth: by a league, and at random by choix with ties dropped, and
        with ties halved."""
        league = League(
            self._system,
            self._item,
            Question("pair"),
            target=1.1,
            seed=seed,
            budget_calls=self.budget,
        )
        while (matches := league.next_matches()).num_rows:
            league.record(self._answered(matches))
        chosen = np.random.default_rng([seed, 2]).permutation(self.size)[: self.budget]
        each = [self._theirs(chosen, halved=halved) for halved in (False, True)]
        ours = tau_b(self.truth, league.strengths().mean)
        return ours, *(tau_b(self.truth, theirs) for theirs in each)  # type: ignore[return-value]

    def _answered(self, matches: pa.RecordBatch) -> pa.RecordBatch:
        """Return the outcomes of *matches*, as the record has them."""
        grades: list[int | None] = []
        for shown in matches.column("shown").to_pylist():
            ids = tuple(self._ids[row] for row in shown)
            found = self._verdicts.find(Question("pair"), "", ids, 0)
            grades.append(None if found is None else found.grade)
        columns = {
            **{name: matches.column(name) for name in matches.schema.names},
            "status": pa.array(["failed" if grade is None else "ok" for grade in grades]),
            "grade": pa.array(grades, pa.int8()),
            "order": pa.nulls(len(grades), OUTCOMES.field("order").type),
        }
        return pa.record_batch([columns[field.name] for field in OUTCOMES], schema=OUTCOMES)

    def _theirs(self, kept: Ints, *, halved: bool) -> Floats:
        x, y, grade = self._x[kept], self._y[kept], self._grade[kept]
        return by_choix(self.n, x, y, grade, alpha=1e-3, halved=halved)


def by_choix(
    n: int, one: Ints, other: Ints, grade: Ints, *, alpha: float, halved: bool = False
) -> Floats:
    """Return the strengths that choix fits to pairs, its ties dropped or *halved*."""
    import choix

    won, lost = np.where(grade > 0, one, other), np.where(grade > 0, other, one)
    decided = np.stack([won, lost], 1)[grade != 0]
    data = [tuple(pair) for pair in decided.tolist()]
    if halved:
        tied = np.stack([one, other], 1)[grade == 0].tolist()
        data = [*data, *data, *(pair for a, b in tied for pair in ((a, b), (b, a)))]
    return np.asarray(choix.ilsr_pairwise(n, data, alpha=alpha), np.float64)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 90% interval of a *share* of *count* (Wilson 1927)."""
    square = Z90**2 / count
    middle = (share + square / 2.0) / (1.0 + square)
    reach = (share * (1.0 - share) * square + square**2 / 4.0) ** 0.5 / (1.0 + square)
    return middle - reach, middle + reach


def _held_out(n: int, all_: Verdicts, known: Bools) -> tuple[float, float]:
    """Return the log loss of ours and of choix on the decided pairs of rankings not *known*."""
    train, test = (all_.take(np.flatnonzero(part[all_.cluster])) for part in (known, ~known))
    test = test.take(np.flatnonzero(test.grade))
    ours = fit_robust(n, train).win_chances(test)
    losses = []
    for alpha in ALPHAS:
        mean = by_choix(n, train.one, train.other, train.grade, alpha=alpha)
        losses.append(_loss(sigmoid(mean[test.one] - mean[test.other]), test.grade))
    return _loss(ours, test.grade), min(losses)


def _loss(chance: Floats, grade: Ints) -> float:
    return float(-np.mean(np.log(np.where(grade > 0, chance, 1.0 - chance))))


def _covered(n: int, all_: Verdicts, seed: int) -> tuple[float, ...]:
    """Compare a tenth with nine tenths: the share of ranks that intervals cover, that they cover
    as whole ranks, and that they cover by the model's own covariance; then the squared errors of
    all differences over their variances, by the sandwich and by the model's own."""
    rng = np.random.default_rng([seed, 10])
    few = (rng.random(int(all_.cluster.max()) + 1) < 0.1)[all_.cluster]
    fitted, others = (fit_robust(n, all_.take(np.flatnonzero(part))) for part in (few, ~few))
    rank = rankdata(-others.mean)
    low, high = rank_intervals(fitted.draws(np.arange(n), rng, 1000))
    plain, more = (replace(each, covariance=each.own) for each in (fitted, others))
    least, most = rank_intervals(plain.draws(np.arange(n), rng, 1000))
    upper = np.triu_indices(n, 1)
    errors = []
    for one, other in ((fitted, others), (plain, more)):
        (gap, variance), (true, its) = one.gaps(), other.gaps()
        errors.append(float(np.mean(((gap - true) ** 2)[upper] / (variance + its)[upper])))
    return (
        float(np.mean((low <= rank) & (rank <= high))),
        float(np.mean((low - 0.5 <= rank) & (rank <= high + 0.5))),
        float(np.mean((least <= rank) & (rank <= most))),
        *errors,
    )


def _habit_held(first: Ints, rng: np.random.Generator) -> tuple[bool, bool, bool]:
    """Return whether intervals from a fifth of the pairs hold what all pairs come to."""
    kept = first[rng.random(len(first)) < SHARE]
    count = len(kept) / (1.0 - SHARE)
    flips = [each.sum(1) != 1 for each in (first, kept)]
    low, high = wilson(float(np.mean(flips[1])), count)
    flips_held = low <= float(np.mean(flips[0])) <= high
    share, spread = float(kept.mean()), float(np.var(kept.mean(1), ddof=1)) / count
    alike = share * (1.0 - share) / spread if spread and 0.0 < share < 1.0 else count
    low, high = wilson(share, alike)
    bias, error = _bias(kept)
    reach = Z90 * error * (1.0 - SHARE) ** 0.5
    return low <= float(first.mean()) <= high, flips_held, abs(bias - _bias(first)[0]) <= reach


def _bias(first: Ints) -> tuple[float, float]:
    """Return the position bias in logits that is fitted to pairs judged in both orders."""
    pairs = len(first)
    one = np.repeat([0, 1], pairs)
    grade = 2 * first.T.ravel() - 1
    cluster = np.tile(np.arange(pairs), 2)
    nobody = np.zeros(2 * pairs, np.int64)
    fitted = fit_robust(2, Verdicts(one, 1 - one, grade, np.ones(2 * pairs), cluster, nobody))
    return fitted.judges[0].bias, fitted.bias_errors[0]


def _tables(folder: Path) -> Iterator[tuple[str, Table]]:
    for judge in PANDALM:
        yield f"pandalm {judge}", Table(f"recorded:{folder / 'pandalm.parquet'}?judge={judge}")
    for source, judges, protocol in (
        ("mtbench", MTBENCH, "full_3option"),
        ("devbench", DEVBENCH, "full_2option"),
    ):
        for judge in judges:
            filters = f"source=posbias_{source}&judge={judge}&protocol={protocol}"
            yield f"{source} {judge}", Table(f"recorded:{folder / 'posbias.parquet'}?{filters}")
        for judge in REPEATED:
            filters = f"source=posbias_{source}&judge={judge}&protocol={protocol}&rep=0"
            filters = filters.replace("full", "repetition")
            yield f"{source} {judge}", Table(f"recorded:{folder / 'posbias.parquet'}?{filters}")


Section = Callable[[Settings], list[Row]]

SECTIONS: dict[str, Section] = {
    "rankings": rankings,
    "leaderboards": leaderboards,
    "habits": habits,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser("python -m commedia.benchmarks.judgments", description=__doc__)
    parser.add_argument("--only", choices=list(SECTIONS), help="one section")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--data", type=Path, default=DATA, help="where the recorded tables are")
    chosen = parser.parse_args(arguments)
    settings = Settings(chosen.seeds, chosen.data)
    sys.stdout.write(HEADER.format(seeds=settings.seeds, more=MORE * settings.seeds) + "\n")
    missed, start = 0, time.monotonic()
    for name in [chosen.only] if chosen.only else SECTIONS:
        rows = SECTIONS[name](settings)
        missed += sum(row.ok is False for row in rows)
        title = (SECTIONS[name].__doc__ or "").partition("\n")[0]
        sys.stdout.write(render(f"{name}: {title}", rows) + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{missed} bars missed, {time.monotonic() - start:.0f} s\n")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
