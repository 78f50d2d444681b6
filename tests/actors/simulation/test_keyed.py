"""A draw is a pure function of its key, and the draws of many keys look random."""

import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from commedia.actors.simulation.keyed import mix, normal, text_key, text_keys, uniform

LAWS = settings(max_examples=100, deadline=None, derandomize=True)
KEYS = st.integers(0, 2**64 - 1)
PARTS = st.lists(st.text("ab\x1e\x1f", max_size=4), min_size=1, max_size=4)
MANY = 50_000


@LAWS
@given(st.lists(KEYS, min_size=1, max_size=20), KEYS, st.data())
def test_a_draw_depends_on_its_key_alone(keys: list[int], other: int, data: st.DataObject) -> None:
    """Neither the order of a batch nor its cut changes what a key brings."""
    order = np.array(data.draw(st.permutations(range(len(keys)))))
    batch, call = np.array(keys, np.uint64), np.uint64(other)
    drawn = normal(mix(call, batch))

    assert np.array_equal(normal(mix(call, batch[order])), drawn[order])
    assert [normal(mix(call, batch[i : i + 1]))[0] for i in range(len(keys))] == drawn.tolist()


def test_a_key_is_the_same_in_every_process() -> None:
    code = "from commedia.actors.simulation.keyed import text_key; print(text_key('a', 1))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert int(shown.stdout) == int(text_key("a", 1)) == int(text_key("a", "1"))


@LAWS
@given(PARTS, PARTS)
def test_distinct_parts_have_distinct_keys(one: list[str], other: list[str]) -> None:
    """Whatever a text holds, it cannot pass for two."""
    assert (text_key(*one) == text_key(*other)) == (one == other)


def test_many_keys_do_not_meet() -> None:
    names = text_keys([str(number) for number in range(MANY)])
    mixed = mix(text_key("call"), np.arange(MANY, dtype=np.uint64))

    assert len(set(names.tolist())) == len(set(mixed.tolist())) == MANY
    assert len({*mix(names, names[::-1]).tolist(), *mix(names[::-1], names).tolist()}) == MANY


def test_mixing_heeds_the_order_and_number_of_keys() -> None:
    a, b = text_key("a"), text_key("b")
    made = [mix(a, b), mix(b, a), mix(a), mix(b), mix(a, b, 0), mix(0, a, b), mix(mix(a), b)]

    assert len({int(key) for key in made}) == len(made)


def test_draws_fit_their_laws() -> None:
    for keys in (np.arange(MANY, dtype=np.uint64), text_keys([str(i) for i in range(MANY)])):
        drawn = mix(text_key("ks"), keys)

        assert kstest(uniform(drawn), "uniform").pvalue > 0.01
        assert kstest(normal(drawn), "norm").pvalue > 0.01


def test_neighbouring_keys_and_calls_are_independent() -> None:
    keys = np.arange(MANY, dtype=np.uint64)
    one, other = normal(mix(text_key("one"), keys)), normal(mix(text_key("other"), keys))

    for left, right in ((one, other), (one[:-1], one[1:])):
        assert abs(np.corrcoef(left, right)[0, 1]) < 4 / MANY**0.5


def test_a_uniform_draw_is_never_an_end() -> None:
    ends = uniform(np.array([0, 2**64 - 1], np.uint64))

    assert 0 < ends[0] < ends[1] < 1
    assert np.isfinite(normal(np.array([0, 2**64 - 1], np.uint64))).all()
