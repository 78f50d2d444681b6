"""Rankings of systems on REAL judgments: `python -m commedia.benchmarks.judgments`.

People and models judged these outputs years ago; nothing is simulated, and nothing is asked.
Exits 1 when a bar is missed.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import rankdata

from ..patterns.intervals import NORMAL, wilson_ends
from ..patterns.ranking.audit import Swaps
from ..patterns.ranking.likelihood import Bools, Floats, Ints, sigmoid
from ..patterns.ranking.posterior import rank_intervals
from ..patterns.ranking.robust import Verdicts, fit_robust
from ..patterns.ranking.score import tau_b
from .command import folder
from .replays import Habits, Replay
from .rows import Row, at_least, at_most, render, within

HEADER = """\
Rankings of systems on REAL judgments, recorded; no model was asked and nothing is simulated.
choix (alpha by hindsight, ties dropped or halved, whichever does best) is the yardstick.
Shares of a fifth: {seeds} seeds for leaderboards ({more} where systems are few, {most} of five), by
our schedule (an evaluation that is held on the record) and at random; tau-b is against choix on all
verdicts of that judge, +- is one standard error."""

DATA = Path(__file__).parents[2] / "shared" / "data"
SLACK: Final = 0.0005
ALPHAS: Final = (1e-5, 1e-3, 1e-2)
SHARE: Final = 0.2
DRAWS: Final = 50
FEW: Final = 200
MORE: Final = 5
MOST: Final = 20
"""Leaderboards of less than 20 systems, or of five, are played so many times as often: chance moves
each of them by a place, which is a fifth in tau."""

PANDALM: Final = ("annotator1", "annotator2", "annotator3", "gpt-3.5-turbo", "pandalm-7b")
MTBENCH: Final = ("gemini-pro", "gpt-4-0613")
DEVBENCH: Final = ("claude-3-haiku-20240307", "gemini-pro", "gpt-3.5-turbo-0125", "gpt-4-0613")
REPEATED: Final = ("claude-3-sonnet-20240229", "gpt-4-1106-preview")
MTBENCH_REPEATED: Final = (*REPEATED, "claude-3-haiku-20240307", "gpt-3.5-turbo-0125")
"""Judges who were asked about 84 or 56 pairs alone, three times each: the first time is printed;
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
    """Leaderboards from a fifth of the verdicts against all: our schedule beside chance."""
    if not (settings.data / "judgments" / "pandalm.parquet").exists():
        return [Row("skipped: there are no judgments", "")]
    rows, gained, apart = [], [], 0.0
    for title, name in _tables(settings.data / "judgments"):
        replay = Replay(name)
        n, budget = len(replay.names), round(SHARE * replay.size)
        seeds = settings.seeds * _times(replay)
        ours, dropped, halved = np.array([play(replay, seed) for seed in range(seeds)]).T
        theirs = max(float(np.mean(dropped)), float(np.mean(halved)))
        gained.append(float(np.mean(ours)) - theirs)
        apart = max(apart, replay.unlike_a_session(calls=budget, seed=0))
        name = f"{title}, {n} systems, {budget} of {replay.size}: "
        rows.append(Row(name + "tau ours / random", f"{np.mean(ours):.3f} / {theirs:.3f}"))
        error = float((np.var(ours) + np.var(dropped)) / seeds) ** 0.5
        said = f"{name}difference (+-{error:.3f})"
        if replay.size < FEW:
            rows.append(Row(said, f"{gained.pop():+.3f}"))
        else:
            rows.append(at_least(said, gained[-1], -0.02, "+.3f"))
    rows.append(Row("median difference over judges", f"{np.median(gained):+.4f}"))
    rows.append(at_least("mean difference over judges", float(np.mean(gained)), 0.0, "+.4f"))
    rows.append(at_most("a Session's scores, furthest from these, logit", apart, 1e-9, ".0e"))
    return rows


def habits(settings: Settings) -> list[Row]:
    """LLMBar: position bias and flips from a fifth of the verdicts, against all that were counted.

    An evaluation is held on a random fifth of the pairs, readable or not: our schedule asks about
    each, and asks again in the other order. The bias is the league's and its error, flips are
    counted as a pilot counts them; intervals allow for the fifth being part of the whole.
    """
    path = settings.data / "judgments" / "llmbar.parquet"
    if not path.exists():
        return [Row("skipped: there is no llmbar.parquet", "")]
    columns = pq.read_table(path, columns=["judge", "protocol"]).to_pydict().values()
    asked = sorted({each for each in zip(*columns, strict=True) if each[1] in PLAIN})
    rows: list[Row] = []
    all_: list[Floats] = []
    for number, (judge, protocol) in enumerate(asked):
        replay = Replay(f"recorded:{path}?judge={judge}&protocol={protocol}&rep=0")
        counted = Habits.counted(replay)
        seeds = [1000 * number + seed for seed in range(2 * settings.seeds)]
        held = [_habit_held(replay, counted, seed) for seed in seeds]
        all_.append(np.mean(held, axis=0))
        said = (
            f"{judge} {protocol}, {counted.pairs} pairs: flips {counted.flips:.3f}, "
            f"bias {counted.bias:+.2f}; held"
        )
        rows.append(Row(said, " ".join(f"{each:.2f}" for each in all_[-1][:2])))
    flips, bias, share = np.mean(all_, axis=0).tolist()
    return [
        *rows,
        within("90% intervals of flips held", flips, 0.83, 0.97),
        within("90% intervals of the bias held", bias, 0.83, 0.97),
        Row("of the fifth's pairs, asked in both orders", f"{share:.2f}"),
    ]


def play(replay: Replay, seed: int) -> tuple[float, float, float]:
    """Return the tau-b of a fifth: by a league, and at random by choix with ties dropped, and with
    ties halved."""
    budget, n = round(SHARE * replay.size), len(replay.names)
    truth = by_choix(n, *replay.verdicts(np.arange(replay.size)), alpha=1e-3, halved=True)
    ours = replay.league(calls=budget, seed=seed).strengths().mean
    chosen = np.random.default_rng([seed, 2]).permutation(replay.size)[:budget]
    theirs = [
        by_choix(n, *replay.verdicts(chosen), alpha=1e-3, halved=halved) for halved in (False, True)
    ]
    return tau_b(truth, ours), tau_b(truth, theirs[0]), tau_b(truth, theirs[1])


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


def _habit_held(replay: Replay, counted: Habits, seed: int) -> tuple[bool, bool, float]:
    """Return whether intervals from a fifth of the pairs hold what was *counted* of its flips and
    its bias, and the share of the fifth that was asked in both orders."""
    pairs, swaps = len(replay.items), Swaps.none()
    fifth = round(SHARE * pairs)
    among = np.random.default_rng([seed, 20]).permutation(pairs) < fifth
    league = replay.league(calls=2 * fifth, seed=seed, among=among, swaps=swaps)
    seen = swaps.asked / (1.0 - min(swaps.asked / counted.pairs, 0.99))
    low, high = (float(end[0]) for end in wilson_ends(np.array([swaps.share]), np.array([seen])))
    found = league.strengths()
    reach = NORMAL * found.bias_errors[0] * (1.0 - SHARE) ** 0.5
    bias_held = abs(found.judges[0].bias - counted.bias) <= reach
    return low <= counted.flips <= high, bias_held, swaps.asked / fifth


def _times(replay: Replay) -> int:
    """Return how many times as often as others this leaderboard is played."""
    if len(replay.names) >= 20 or replay.size < FEW:
        return 1
    return MORE if len(replay.names) > 5 else MOST


def _tables(folder: Path) -> Iterator[tuple[str, str]]:
    for judge in PANDALM:
        yield f"pandalm {judge}", f"recorded:{folder / 'pandalm.parquet'}?judge={judge}"
    for source, judges, repeated, options in (
        ("mtbench", MTBENCH, MTBENCH_REPEATED, "3option"),
        ("devbench", DEVBENCH, REPEATED, "2option"),
    ):
        name = f"recorded:{folder / 'posbias.parquet'}?source=posbias_{source}"
        for judge in judges:
            yield f"{source} {judge}", f"{name}&judge={judge}&protocol=full_{options}"
        for judge in repeated:
            filters = f"judge={judge}&protocol=repetition_{options}&rep=0"
            yield f"{source} {judge}", f"{name}&{filters}"


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
    os.environ["COMMEDIA_HOME"] = str(folder())  # no run of these is anybody's
    seeds = {"seeds": settings.seeds, "more": MORE * settings.seeds, "most": MOST * settings.seeds}
    sys.stdout.write(HEADER.format(**seeds) + "\n")
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
