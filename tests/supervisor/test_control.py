"""Orders to a run come from any process, each once, in order, and only to the life they meant."""

import asyncio
from pathlib import Path
from typing import Any

from commedia.actors.clock import ManualClock
from commedia.supervisor.control import (
    CONTROL,
    follow_orders,
    forget_orders,
    give_order,
    take_orders,
)


def test_orders_come_once_and_in_order(tmp_path: Path) -> None:
    orders: list[dict[str, Any]] = [{"skip": "a"}, {"answer": "yes"}, {"stop": True}]
    for order in orders:
        give_order(tmp_path, order)

    assert list(take_orders(tmp_path)) == orders
    assert list(take_orders(tmp_path)) == []


def test_a_run_without_orders_has_none(tmp_path: Path) -> None:
    assert list(take_orders(tmp_path)) == []


def test_what_is_no_order_is_passed_over(tmp_path: Path) -> None:
    give_order(tmp_path, {"stop": True})
    (tmp_path / CONTROL / "000.json").write_text("no JSON")
    (tmp_path / CONTROL / "001.json").write_text("[]")

    assert list(take_orders(tmp_path)) == [{"stop": True}]
    assert list((tmp_path / CONTROL).iterdir()) == []


def test_an_order_for_an_earlier_life_is_forgotten(tmp_path: Path) -> None:
    give_order(tmp_path, {"stop": True})
    forget_orders(tmp_path)

    assert list(take_orders(tmp_path)) == []


def test_orders_are_obeyed_as_they_come(tmp_path: Path) -> None:
    async def follow() -> list[dict[str, Any]]:
        obeyed: list[dict[str, Any]] = []

        async def obey(order: dict[str, Any]) -> None:
            obeyed.append(order)
            if len(obeyed) == 1:
                give_order(tmp_path, {"stop": True})
            else:
                raise asyncio.CancelledError

        give_order(tmp_path, {"skip": "a"})
        await asyncio.gather(follow_orders(tmp_path, ManualClock(), obey), return_exceptions=True)
        return obeyed

    assert asyncio.run(follow()) == [{"skip": "a"}, {"stop": True}]
