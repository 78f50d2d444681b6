"""The restart policy, as a table."""

import pytest

from commedia.actors.actor import Actor
from commedia.actors.errors import IntensityExceededError
from commedia.supervisor.children import ChildSpec, Intensity, Restart, RestartPolicy


@pytest.mark.parametrize(
    ("restart", "died", "again"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.PERMANENT, False, True),
        (Restart.TRANSIENT, True, True),
        (Restart.TRANSIENT, False, False),
        (Restart.TEMPORARY, True, False),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_a_child_starts_again_as_its_kind_says(restart: Restart, died: bool, again: bool) -> None:
    policy = RestartPolicy(Intensity())

    assert policy.restarts(ChildSpec("child", Actor, restart), died=died, now=0.0) is again


def test_more_restarts_than_the_intensity_allows_end_it() -> None:
    policy = RestartPolicy(Intensity(restarts=2, period_s=10))
    spec = ChildSpec("child", Actor)
    policy.restarts(spec, died=True, now=0.0)
    policy.restarts(spec, died=True, now=1.0)

    with pytest.raises(IntensityExceededError, match=r"child died again \(why\) after 2 restarts"):
        policy.restarts(spec, died=True, now=2.0, why="why")


def test_restarts_longer_ago_than_the_period_are_forgotten() -> None:
    policy = RestartPolicy(Intensity(restarts=1, period_s=10))
    spec = ChildSpec("child", Actor)

    assert all(policy.restarts(spec, died=True, now=11.0 * k) for k in range(20))


def test_children_share_one_intensity() -> None:
    policy = RestartPolicy(Intensity(restarts=1, period_s=10))
    policy.restarts(ChildSpec("one", Actor), died=True, now=0.0)

    with pytest.raises(IntensityExceededError, match="two"):
        policy.restarts(ChildSpec("two", Actor), died=True, now=0.0)


def test_an_orderly_end_that_is_not_restarted_costs_no_restart() -> None:
    policy = RestartPolicy(Intensity(restarts=1, period_s=10))
    spec = ChildSpec("child", Actor, Restart.TRANSIENT)
    for _ in range(5):
        policy.restarts(spec, died=False, now=0.0)

    assert policy.restarts(spec, died=True, now=0.0)
