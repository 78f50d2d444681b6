"""Which node an actor goes to: evenly, by processors, and never where nobody answers."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.supervisor.runtime.placing import Node, Placing, nodes_of


@pytest.mark.parametrize(
    ("cores", "held", "doubted", "chosen"),
    [
        ({}, {}, [], None),
        ({"a": 2}, {}, [], None),  # there is no choice
        ({"a": 2, "b": 2}, {}, [], "b"),  # home comes first
        ({"a": 2, "b": 2}, {"b": 1}, [], "a"),
        ({"a": 1, "b": 4}, {"b": 2}, [], "b"),  # more processors, more actors
        ({"a": 2, "b": 0}, {"a": 9}, [], "a"),  # a node without processors wants no work
        ({"a": 0, "b": 0}, {}, [], "b"),  # unless none has any
        ({"a": 2, "b": 2}, {"a": 9}, ["b"], "a"),
        ({"a": 2, "b": 2}, {"a": 9}, ["a", "b"], "b"),  # all are doubted: one must do
    ],
)
def test_a_node_is_chosen_by_what_it_holds(
    cores: dict[str, float], held: dict[str, int], doubted: list[str], chosen: str | None
) -> None:
    assert Placing("b", Counter(held), set(doubted)).choose(cores) == chosen


@given(st.integers(2, 9), st.integers(1, 60))
def test_equal_nodes_hold_equally_many(nodes: int, actors: int) -> None:
    placing = Placing("0")
    for _ in range(actors):
        node = placing.choose({str(number): 4.0 for number in range(nodes)})
        assert node is not None
        placing.held[node] += 1

    held = [placing.held[str(number)] for number in range(nodes)]
    assert max(held) - min(held) <= 1


def test_actors_that_are_placed_at_once_are_spread_and_none_goes_where_nobody_listens() -> None:
    async def placed() -> list[str]:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            nodes = {name: Node(2.0, "127.0.0.1", port) for name in "ab"}
            nodes["gone"] = Node(99.0, "127.0.0.1", 1)
            placing = Placing("a")
            return list(await asyncio.gather(*(placing.place(nodes) for _ in range(4))))

    assert Counter(asyncio.run(placed())) == {"a": 2, "b": 2}


def test_where_no_node_answers_the_cluster_must_see_to_it() -> None:
    nodes = {name: Node(2.0, "127.0.0.1", 1) for name in "ab"}

    assert asyncio.run(Placing("a").place(nodes)) in ("", "a", "b")


def test_a_node_is_trusted_again_once_it_answers() -> None:
    placing = Placing("a")
    placing.doubt("b")
    placing.trust("b")

    assert placing.doubted == set()


def test_only_nodes_that_their_cluster_takes_for_alive_count() -> None:
    place = {"NodeManagerAddress": "10.0.0.7", "NodeManagerPort": 4711}
    told = [
        {"NodeID": "a", "Alive": True, "Resources": {"CPU": 8.0}, **place},
        {"NodeID": "b", "Alive": False, "Resources": {"CPU": 8.0}, **place},
        {"NodeID": "c", "Alive": True, "Resources": {}, **place},
    ]

    assert nodes_of(told) == {"a": Node(8.0, "10.0.0.7", 4711), "c": Node(0.0, "10.0.0.7", 4711)}
