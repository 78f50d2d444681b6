"""Why an item has its rank: its matches, seen from its side. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RIVALS = 4
"""So many of those who stand nearest to an item are named."""

GRADES = {
    2: "much more than",
    1: "more than",
    0: "a tie with",
    -1: "less than",
    -2: "much less than",
}
"""A grade in words, of what was shown first and what was shown second."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """One match of an item: who it was put above, below or level with, and how it was shown."""

    round: int
    question: str
    shown: tuple[str, ...]
    place_shown: int
    status: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    level: tuple[str, ...]
    answer: str
    """The verdict in words; empty where there is none."""
    why: str = ""
    """The judge's reasons, where it was asked for them."""

    def against(self, ranks: Mapping[str, int], item: str) -> int:
        """Count the opponents whose final rank contradicts this match."""
        own = ranks.get(item, 0)
        lost_above = sum(ranks.get(other, own) < own for other in self.above)
        return lost_above + sum(ranks.get(other, own) > own for other in self.below)


def meetings(matches: Sequence[Mapping[str, Any]], item: str) -> list[Meeting]:
    """Return the *matches* (rows of a run's matches) that showed *item*, in their order."""
    return [_meeting(match, item) for match in matches if item in match["ids"]]


def explain(item: Mapping[str, Any], met: Sequence[Meeting], ranks: Mapping[str, int]) -> list[str]:
    """Return what put *item* (a row of the ranking) where it is, as lines for a person."""
    id = str(item["id"])
    above, below, level = (
        sum(len(getattr(meeting, side)) for meeting in met) for side in ("above", "below", "level")
    )
    silent = sum(not meeting.answer for meeting in met)
    upsets = sum(meeting.against(ranks, id) for meeting in met)
    lines = [
        f"{id}: rank {item['rank']} of {len(ranks)} "
        f"(90% interval {item['rank_low']:.0f} - {item['rank_high']:.0f}), "
        f"score {item['score']:.3f}",
        f"{len(met)} matches: put above {above} others, below {below}, level with {level}"
        + (f"; {silent} without an answer" if silent else ""),
        f"{upsets} of these {above + below} verdicts stand against the final order",
        *_rivals(met, ranks, id),
        "",
    ]
    return lines + [line for meeting in met for line in _lines(meeting, ranks, id)]


def _rivals(met: Sequence[Meeting], ranks: Mapping[str, int], item: str) -> list[str]:
    """Say how *item* fared against those it met who stand nearest to it in the end."""
    won = Counter(other for meeting in met for other in meeting.above)
    lost = Counter(other for meeting in met for other in meeting.below)
    own = ranks.get(item, 0)
    near = sorted(
        (other for other in {*won, *lost} if other in ranks),
        key=lambda other: (abs(ranks[other] - own), ranks[other]),
    )[:RIVALS]
    said = [
        f"{other} (rank {ranks[other]}) above it {lost[other]} of {won[other] + lost[other]} times"
        for other in sorted(near, key=ranks.__getitem__)
    ]
    return [f"nearest that it met: {'; '.join(said)}"] if said else []


def _meeting(match: Mapping[str, Any], item: str) -> Meeting:
    shown = tuple(match["ids"])
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    answer = ""
    if match["status"] == "ok" and match["order"]:
        above, below, answer = _from_order(shown, match["order"], item)
    elif match["status"] == "ok" and match["grade"] is not None:
        grade = match["grade"] if shown[0] == item else -match["grade"]
        others = tuple(other for other in shown if other != item)
        above, below, level = (
            others if chosen else () for chosen in (grade > 0, grade < 0, grade == 0)
        )
        answer = GRADES[grade]
    return Meeting(
        round=match["round"],
        question=match["question"],
        shown=shown,
        place_shown=shown.index(item) + 1,
        status=match["status"],
        above=above,
        below=below,
        level=level,
        answer=answer,
        why=match.get("why") or "",
    )


def _from_order(
    shown: tuple[str, ...], order: Sequence[str], item: str
) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Return whom *item* stands above and below; items that a prefix left out are last."""
    rest = tuple(other for other in shown if other not in order)
    if item in order:
        place = list(order).index(item)
        above, below = (*order[place + 1 :], *rest), tuple(order[:place])
        return above, below, f"place {place + 1} of {len(shown)}"
    return (), tuple(order), f"not among the best {len(order)} of {len(shown)}"


def _lines(meeting: Meeting, ranks: Mapping[str, int], item: str) -> list[str]:
    where = f"round {meeting.round}, {meeting.question}, shown {_ordinal(meeting.place_shown)}"
    if not meeting.answer:
        return [f"{where}: no answer ({meeting.status})"]
    upsets, others = meeting.against(ranks, item), len(meeting.shown) - 1
    mark = "   [against the final order]" if upsets * 2 > others else ""
    said = [f"    because: {meeting.why}"] if meeting.why else []
    if others == 1:
        (other,) = meeting.above or meeting.below or meeting.level
        return [f"{where}: {meeting.answer} {_named([other], ranks)}{mark}", *said]
    lines = [f"{where}: {meeting.answer}{mark}"]
    if meeting.below:
        lines.append(f"    below {_named(meeting.below, ranks)}")
    if meeting.above:
        lines.append(f"    above {_named(meeting.above, ranks)}")
    return lines + said


def _named(ids: Sequence[str], ranks: Mapping[str, int]) -> str:
    return ", ".join(f"{id} (rank {ranks.get(id, '?')})" for id in ids)


def _ordinal(place: int) -> str:
    tens, ones = divmod(place, 10)
    ending = "th" if tens % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(ones, "th")
    return f"{place}{ending}"
