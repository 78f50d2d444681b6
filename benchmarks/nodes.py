"""A Ray cluster of several nodes on this machine, in processes of its own, that loses nodes."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from .command import environment, folder

CLUSTER: Final = """
import json, logging, os, signal, sys
import psutil
from ray.cluster_utils import Cluster

logging.disable(logging.CRITICAL)
out, sys.stdout = sys.stdout, sys.stderr
store = {"object_store_memory": 128 * 1024**2, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **store})
nodes = [cluster.add_node(num_cpus=2, **store) for _ in range(int(sys.argv[1]) - 1)]
ids = [node.node_id for node in [cluster.head_node, *nodes]]
frozen = []
print(json.dumps({"address": cluster.address, "ids": ids}), file=out, flush=True)
for line in sys.stdin:
    word, number = line.split()
    node = nodes[int(number) - 1]
    started = [each.process.pid for all_ in node.all_processes.values() for each in all_]
    there = [psutil.Process(pid) for pid in started]
    there += [child for each in there for child in each.children(recursive=True)]
    for process in there:
        process.kill() if word == "remove" else process.suspend()
    frozen += there if word == "freeze" else []
    print("ok", file=out, flush=True)
for process in frozen:  # Ray's agents have other names by now, and nobody else would know them
    if process.is_running():
        process.kill()
cluster.shutdown()
"""

SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_AUTH_MODE": "token",
}


@dataclass(frozen=True, slots=True)
class Nodes:
    """A cluster that runs; node 0 is its head, where drivers are."""

    address: str
    ids: tuple[str, ...]
    env: Mapping[str, str]
    """The environment of a driver: how it gets in, and a run store of its own."""
    process: "subprocess.Popen[str]"

    def remove(self, number: int) -> None:
        """Kill all processes of a node: its connections are closed."""
        self._order("remove", number)

    def freeze(self, number: int) -> None:
        """Stop all processes of a node where they are: nobody hears of it, as of a lost link."""
        self._order("freeze", number)

    def _order(self, word: str, number: int) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word} {number}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "ok":
            raise RuntimeError(f"the cluster could not {word} node {number}")


@contextmanager
def several(count: int) -> Iterator[Nodes]:
    """Run a cluster of *count* nodes, with a token; it is gone at the end, frozen nodes too."""
    import json

    token = folder() / "token"
    token.write_text(secrets.token_hex(32))
    env = {**environment(), **SETTINGS, "RAY_AUTH_TOKEN_PATH": str(token)}
    command = [sys.executable, "-c", CLUSTER, str(count)]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            said = json.loads(process.stdout.readline())
            yield Nodes(said["address"], tuple(said["ids"]), env, process)
        finally:
            process.stdin.close()
            process.wait(timeout=60)
            _end(str(token))


def _end(token: str) -> None:
    """End the processes of the cluster whose token lies in the file *token*."""
    import psutil

    for process in psutil.process_iter():
        try:
            if process.environ().get("RAY_AUTH_TOKEN_PATH") == token and process.pid != os.getpid():
                process.kill()
        except (psutil.Error, OSError):
            continue
