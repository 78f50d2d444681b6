"""The admission desk decides from facts and the time alone."""

from commedia.supervisor.admission import Admitted, Desk, Refused, Wait, Window
from commedia.supervisor.budget import Amount, Budget, Ledger
from commedia.supervisor.limits import Need, Throttle


def desk(tokens: int = 100) -> Desk:
    return Desk(Ledger(Budget(tokens=tokens)))


def admit(
    door: Desk, bound: Amount, throttle: Throttle | None = None, *, now: float
) -> Admitted | Wait | Refused:
    return door.admit(bound, Need(1, 1), throttle or Throttle(), now=now)


def test_near_the_cap_a_request_waits_for_what_is_in_flight() -> None:
    door = desk()
    first = admit(door, Amount(tokens=70), now=0)
    assert isinstance(first, Admitted)
    assert admit(door, Amount(tokens=40), now=0) == Wait()
    door.ledger.settle(first.reservation, Amount(tokens=10))

    assert isinstance(admit(door, Amount(tokens=40), now=0), Admitted)


def test_what_could_never_fit_is_refused_and_what_fits_is_not() -> None:
    door = desk()

    assert admit(door, Amount(tokens=101), now=0) == Refused("over_budget", "budget")
    assert isinstance(admit(door, Amount(tokens=100), now=0), Admitted)


def test_a_wait_that_a_server_asks_for_holds_everybody() -> None:
    door = desk()
    throttle = Throttle()
    throttle.hold(5, now=10)
    throttle.hold(2, now=10)

    assert admit(door, Amount(), throttle, now=12) == Wait(3)
    assert isinstance(admit(door, Amount(), throttle, now=15), Admitted)


def test_an_open_breaker_fails_all_at_once_with_its_cause() -> None:
    door = desk()
    for _ in range(5):
        door.breaker.note("model")

    assert door.is_closed
    assert admit(door, Amount(), now=0) == Refused("failed", "model")


def test_a_draining_desk_admits_nothing() -> None:
    door = desk()
    door.is_draining = True

    assert door.is_closed
    assert admit(door, Amount(), now=0) == Refused("cancelled", "stopped")


def test_a_bound_that_did_not_hold_closes_the_desk() -> None:
    door = desk()
    first = admit(door, Amount(tokens=10), now=0)
    assert isinstance(first, Admitted)
    door.ledger.settle(first.reservation, Amount(tokens=11))

    assert admit(door, Amount(tokens=1), now=0) == Refused("over_budget", "overrun")


def test_the_window_grows_with_quick_replies_up_to_its_size() -> None:
    window = Window(most=10)
    assert window.width == 8
    for _ in range(5):
        window.note(took=0.01, is_pushed_back=False)

    assert window.width == 10
    assert Window(most=3).width == 3


def test_slow_replies_halve_it_once_for_as_many_as_are_in_flight() -> None:
    window = Window(most=64, width=32)
    for _ in range(17):
        window.note(took=1.0, is_pushed_back=True)

    assert window.width == 8
    for _ in range(100):
        window.note(took=0.9, is_pushed_back=False)
    assert window.width == 1


def test_replies_of_middling_speed_leave_it_alone() -> None:
    window = Window(most=64, width=32)
    window.note(took=0.3, is_pushed_back=False)

    assert window.width == 32
