"""The law of a simulated judge: what it answers, given what is true, as a pure function of keys.

A pair (a, b), a shown first, is judged by `u_a - u_b + taste_a - taste_b + bias + noise`; its sign,
or its place among the thresholds, is the answer. The noise is logistic with scale 1, so with no
taste and no bias this is Bradley-Terry. A list is sorted by `u + taste + slope + lambda_k * noise`
with Gumbel noise (Plackett-Luce), lambda_k = list_scale * (1 + list_growth * log2(k / 2)).
A score is the place of `u + taste + noise` among ten levels of `score_level` logits, so wide that
28% of pairs tie where the judge is right on 85%, as measured of real scores on this scale.
Noise has three parts, mixed on the normal scale so that its law stays the same whatever the shares:
one that persists per (judge, pair or set of items), one per (judge, pair or set, order), and the
rest, which is new for each call key. Asking the same question again is not a second opinion.
Sources: defaults from recorded judges (shares) and assumption (list noise); see the README.
"""

from dataclasses import dataclass

import numpy as np

from ..questions import HIGHEST_SCORE, Question
from .keyed import Floats, Ints, Keys, mix, normal, text_key, uniform

_PAIR, _ORDER, _FRESH = text_key("pair"), text_key("order"), text_key("fresh")
_TASTE, _LAPSE, _GUESS = text_key("taste"), text_key("lapse"), text_key("guess")
_STRESS = text_key("stress")


@dataclass(frozen=True, slots=True)
class JudgeProfile:
    """Parameters of a simulated judge; utilities, bias, thresholds and taste are in logits.

    *keen* is how often utilities count beside the noise: what tells judges of one panel apart.
    *grade_honesty* is the share of graded answers whose "much" follows the gap; in the others it
    is said at random. *score_level* is how wide a level of scores is. `per_pair` and `per_order`
    are shares of the noise variance that persist per (judge, pair or set) and per (judge, pair or
    set, order); `taste` is the standard deviation of what the judge holds for or against an item,
    whatever it is compared with.
    """

    name: str = "sim:judge"
    accuracy: float = 0.85
    keen: float = 1.0
    bias: float = 0.4
    per_pair: float = 0.25
    per_order: float = 0.25
    taste: float = 0.0
    lapse: float = 0.0
    tie: float = 0.0
    grade_tie: float = 0.3
    grade_much: float = 2.0
    grade_honesty: float = 1.0
    score_level: float = 2.7
    list_scale: float = 1.0
    list_growth: float = 0.15
    list_slope: float = 0.3

    @property
    def persistent_share(self) -> float:
        """The share of the noise that asking again does not renew."""
        return self.per_pair + self.per_order

    def list_noise(self, size: int) -> float:
        """Return the noise scale of a list of *size*, relative to a pair's."""
        return self.list_scale * (1.0 + self.list_growth * float(np.log2(size / 2)))


REFERENCE = JudgeProfile(name="sim:reference", per_pair=0.0, per_order=0.0)
"""The reference judge of the benchmark: no persistent part."""


def unknown_utility(keys: Keys, *, seed: int, by: str) -> Floats:
    """Return utilities for items of which no world knows any, by their *keys* alone."""
    return normal(mix(text_key("utility", seed, by), keys))


@dataclass(frozen=True, slots=True)
class Bench:
    """A judge at work: its profile, its seed, and what is true of each item.

    *utility* is in logits, *keys* are `text_keys` of the item ids: a judge knows items by their
    ids, never by their rows.
    """

    profile: JudgeProfile
    seed: int
    by: str
    utility: Floats
    keys: Keys

    def answer(
        self, question: Question, shown: Ints, *, variant: str = "", repeat: Ints | int = 0
    ) -> Ints:
        """Judge each row of *shown* (items in the order shown).

        Returns grades, shape (M,), for `pair`, `graded` and `score`; for lists the places shown,
        best first, shape (M, K).
        """
        call = text_key("call", self.seed, self.profile.name, "judge", question, self.by, variant)
        fresh = mix(call, np.asarray(repeat, np.uint64))
        if question.kind == "list":
            return self._orders(shown, fresh)
        if question.kind == "score":
            return self._scores(shown[:, 0], fresh)
        return self._grades(question, shown, fresh)

    def _grades(self, question: Question, shown: Ints, fresh: Keys) -> Ints:
        from scipy.special import log_ndtr  # here, because only hosts that simulate need it

        p, judge = self.profile, self._judge_key()
        first, second = self.keys[shown[:, 0]], self.keys[shown[:, 1]]
        low, high = np.minimum(first, second), np.maximum(first, second)
        side = np.where(first <= second, 1.0, -1.0)
        z = self._blend(
            side * normal(mix(judge, _PAIR, low, high)),
            normal(mix(judge, _ORDER, first, second)),
            normal(mix(fresh, _FRESH, first, second)),
        )
        value = self._value(judge)
        gap = value[shown[:, 0]] - value[shown[:, 1]] + p.bias + log_ndtr(z) - log_ndtr(-z)
        tie, much = (p.grade_tie, p.grade_much) if question.kind == "graded" else (p.tie, np.inf)
        size = np.abs(gap)
        is_much = size >= much
        if question.kind == "graded" and p.grade_honesty < 1.0:
            call = mix(fresh, first, second)
            stressed = uniform(mix(call, _STRESS, np.uint64(1))) < 0.5
            is_honest = uniform(mix(call, _STRESS)) < p.grade_honesty
            is_much = np.where(is_honest, is_much, stressed)
        grade = np.sign(gap) * np.where(size < tie, 0, np.where(is_much, 2, 1))
        options = [-2, -1, 0, 1, 2] if question.kind == "graded" else [-1, 1]
        return self._lapsed(grade.astype(np.int64), mix(fresh, first, second), np.array(options))

    def _scores(self, item: Ints, fresh: Keys) -> Ints:
        from scipy.special import log_ndtr

        judge, key = self._judge_key(), self.keys[item]
        z = self._blend(
            normal(mix(judge, _PAIR, key)),
            normal(mix(judge, _ORDER, key)),
            normal(mix(fresh, _FRESH, key)),
        )
        noise = (log_ndtr(z) - log_ndtr(-z)) / np.sqrt(2.0)  # of a pair's noise, one item's half
        level = (self._value(judge)[item] + noise) / self.profile.score_level
        score = np.clip(np.floor(HIGHEST_SCORE / 2 + level) + 1, 1, HIGHEST_SCORE)
        return self._lapsed(
            score.astype(np.int64), mix(fresh, key), np.arange(1, HIGHEST_SCORE + 1)
        )

    def _orders(self, shown: Ints, fresh: Keys) -> Ints:
        from scipy.special import log_ndtr

        p, judge, keys = self.profile, self._judge_key(), self.keys[shown]
        size = shown.shape[1]
        with np.errstate(over="ignore"):
            together = mix(keys).sum(axis=1, dtype=np.uint64)[:, None]
        in_order = np.zeros(len(shown), np.uint64)
        for place in range(size):
            in_order = mix(in_order, keys[:, place])
        z = self._blend(
            normal(mix(judge, _PAIR, together, keys)),
            normal(mix(judge, _ORDER, in_order[:, None], keys)),
            normal(mix(mix(fresh, _FRESH, in_order)[:, None], keys)),
        )
        gumbel = -np.log(-log_ndtr(z))  # z = Phi^-1 of a uniform draw
        slope = np.linspace(1.0, -1.0, size) * p.list_slope
        value = self._value(judge)[shown] + slope + p.list_noise(size) * gumbel
        if p.lapse:
            careless = uniform(mix(fresh, _LAPSE, in_order)) < p.lapse
            guess = uniform(mix(mix(fresh, _GUESS, in_order)[:, None], keys))
            value = np.where(careless[:, None], guess, value)
        return np.argsort(-value, axis=1, kind="stable")

    def _blend(self, pair: Floats, order: Floats, fresh: Floats) -> Floats:
        p = self.profile
        rest = max(1.0 - p.per_pair - p.per_order, 0.0)
        parts = ((p.per_pair, pair), (p.per_order, order), (rest, fresh))
        return np.asarray(sum(np.sqrt(share) * part for share, part in parts), np.float64)

    def _value(self, judge: Keys) -> Floats:
        utility = self.utility if self.profile.keen == 1.0 else self.profile.keen * self.utility
        if not self.profile.taste:
            return utility
        return utility + self.profile.taste * normal(mix(judge, _TASTE, self.keys))

    def _judge_key(self) -> Keys:
        return np.asarray(text_key("judge", self.seed, self.profile.name, self.by), np.uint64)

    def _lapsed(self, grade: Ints, call: Keys, options: Ints) -> Ints:
        if not self.profile.lapse:
            return grade
        guess = options[(uniform(mix(call, _GUESS)) * len(options)).astype(np.int64)]
        return np.where(uniform(mix(call, _LAPSE)) < self.profile.lapse, guess, grade)
