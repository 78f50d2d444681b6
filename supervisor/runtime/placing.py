"""Which node of a cluster the next actor goes to.

Ray's own SPREAD leaves nodes empty and crowds others when actors claim no processors, and a node
that is gone takes new actors for a quarter of a minute; so the choice is ours.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

PATIENCE_S: Final = 1.0
"""How long a node may take to be reached at all."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that its cluster takes for alive: its processors, and where it listens."""

    cores: float
    host: str = ""
    port: int = 0

    async def answers(self) -> bool:
        """Return whether anything listens there: a cluster takes long to miss a machine."""
        try:
            _, writer = await asyncio.wait_for(
                asyncio.open_connection(self.host, self.port), PATIENCE_S
            )
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True


@dataclass(slots=True)
class Placing:
    """Spreads the actors of one process over the nodes, by their processors, from *home* on."""

    home: str
    held: Counter[str] = field(default_factory=Counter)
    """How many actors each node has."""
    doubted: set[str] = field(default_factory=set)
    """Nodes that did not answer: they get nothing until they do, unless there is no other."""

    async def place(self, nodes: Mapping[str, Node]) -> str:
        """Return one of *nodes* that answers, which has the actor now; none where it is no matter.

        Raises nothing: where no node answers the cluster must see to it.
        """
        for _ in nodes:
            node = self.choose({name: each.cores for name, each in nodes.items()})
            if node is None:
                return ""
            self.held[node] += 1  # before it is there: several are placed at once
            if node in self.doubted or await nodes[node].answers():
                return node
            self.lost(node)
            self.doubted.add(node)
        return ""

    def choose(self, cores: Mapping[str, float]) -> str | None:
        """Return one of the nodes with so many *cores*; None where there is no choice. Pure.

        A node without processors is its cluster's way to say that it wants no work.
        """
        able = {node: each for node, each in cores.items() if each > 0} or dict(cores)
        sound = {node: each for node, each in able.items() if node not in self.doubted} or able
        if len(cores) < 2 or not sound:
            return None
        return min(sound, key=lambda n: ((self.held[n] + 1) / (sound[n] or 1), n != self.home, n))

    def lost(self, node: str) -> None:
        """Count an actor of *node* that is gone."""
        self.held[node] -= 1

    def doubt(self, node: str) -> None:
        """Send nothing to *node*, which did not answer."""
        if node:
            self.doubted.add(node)

    def trust(self, node: str) -> None:
        """Take note that *node* answered."""
        self.doubted.discard(node)


def nodes_of(told: Sequence[Mapping[str, object]]) -> dict[str, Node]:
    """Return the nodes that a cluster takes for alive, of all that Ray has *told*, by their ids."""
    found = {}
    for each in told:
        if each["Alive"]:
            resources = each["Resources"]
            assert isinstance(resources, Mapping)
            place = str(each["NodeManagerAddress"]), int(str(each["NodeManagerPort"]))
            found[str(each["NodeID"])] = Node(float(resources.get("CPU", 0.0)), *place)
    return found
