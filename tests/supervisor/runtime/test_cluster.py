"""A cluster that others started: joined by its address, used on all nodes, and left running."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from commedia.benchmarks.command import ENTRY, environment
from commedia.benchmarks.nodes import Nodes, several

pytestmark = pytest.mark.ray

LOSING = [sys.executable, "-m", "commedia.benchmarks.losing"]
SPREAD = """
import asyncio, json, sys
import ray
from ray.experimental import get_object_locations
from commedia.actors.actor import Envelope
from commedia.actors.judge import Judge
from commedia.actors.messages import Attach, ModelSpec
from commedia.benchmarks.losing import items_of
from commedia.supervisor.runtime.base import one_reply
from commedia.supervisor.runtime.ray_runtime import start_ray, stop_ray

async def spread():
    runtime = start_ray(address=sys.argv[1])
    judges = await asyncio.gather(*(runtime.start(Judge(), "judge") for _ in range(6)))
    items = await runtime.put(items_of(500))
    attach = Envelope(Attach(model=ModelSpec(name="sim:judge")), items)
    await asyncio.gather(*(one_reply(runtime.ask(judge, attach)) for judge in judges))
    held = get_object_locations([items.reference])[items.reference]["node_ids"]
    return {"judges": [judge.node for judge in judges], "table": held}

print(json.dumps(asyncio.run(spread())))
stop_ray()
"""
INITIALISED = """
import sys
import ray
ray.init(address=sys.argv[1], log_to_driver=False, configure_logging=False)
from commedia.actors.errors import UsageError
from commedia.supervisor.runtime.ray_runtime import start_ray
try:
    start_ray(address=sys.argv[1])
except UsageError as error:
    print(error)
print(ray.is_initialized())
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Three nodes with a token: the head, one to use, and one to lose."""
    with several(3) as running:
        yield running


def said(code: str, nodes: Nodes) -> list[str]:
    """Return the lines that a driver of its own prints, given the address."""
    command = [sys.executable, "-c", code, nodes.address]
    done = subprocess.run(command, env=dict(nodes.env), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_hosts_are_spread_and_a_table_is_fetched_once_a_node(nodes: Nodes) -> None:
    found = json.loads(said(SPREAD, nodes)[-1])

    assert Counter(found["judges"]) == dict.fromkeys(nodes.ids, 2)
    assert sorted(found["table"]) == sorted(nodes.ids)  # one copy on each, for two hosts


def test_a_ray_that_is_initialised_is_left_alone(nodes: Nodes) -> None:
    line, is_up = said(INITIALISED, nodes)

    assert line.startswith("a Ray is initialised in this process already")
    assert is_up == "True"


def test_a_sort_joins_by_address_and_the_cluster_goes_on(nodes: Nodes, tmp_path: Path) -> None:
    table = tmp_path / "bugs.csv"
    table.write_text("report,harm\n" + "".join(f"bug {n},{n}\n" for n in range(20)))
    columns = ["--by", "harm", "--text", "report", "--truth", "harm", "--json", "-q"]
    sort = [*ENTRY, "sort", str(table), *columns]
    joined, alone = (
        subprocess.run([*sort, *where], env=dict(nodes.env), capture_output=True, text=True)
        for where in (["--address", nodes.address], ["--runtime", "inline"])
    )

    assert (joined.returncode, alone.returncode) == (0, 0), joined.stderr
    assert json.loads(joined.stdout)["digest"] == json.loads(alone.stdout)["digest"]
    assert nodes.process.poll() is None


def test_a_node_that_is_lost_in_mid_run_changes_nothing(nodes: Nodes, tmp_path: Path) -> None:
    """It falls silent and closes nothing; its hosts' work is dealt again, each row once.

    The last test of this cluster: the node does not come back.
    """
    asked = {"items": 300, "hosts": 3}
    whole = subprocess.run(
        [*LOSING, json.dumps(asked)], env=environment(), capture_output=True, text=True, check=True
    )
    gate = tmp_path / "gate"
    given = json.dumps({**asked, "address": nodes.address, "gate": str(gate)})
    with subprocess.Popen(
        [*LOSING, given], env=dict(nodes.env), stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "mid\n"
        nodes.freeze(2)
        gate.touch()
        lossy = json.loads(driver.stdout.read())

    plain = json.loads(whole.stdout)
    same = ("digest", "calls", "status", "n")
    assert {name: lossy[name] for name in same} == {name: plain[name] for name in same}
    assert "silent" in {kind for _, kind, _ in lossy["events"]}
