"""`commedia serve` in a process of its own, and what it says of worlds it cannot use."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from commedia.actors.errors import UsageError
from commedia.cli.serve import known_utilities

WORLD = pa.table(
    {
        "key": ["x", "y", "z", "w"],
        "text": ["a", "b", "c", "d"],
        "harm": [3.0, None, 1.0, float("nan")],
    }
)


def known(table: pa.Table = WORLD, **options: str) -> dict[str, float]:
    given = {"id": None, "truth": None, **options}
    return known_utilities(table, **given, accuracy=0.85)


def test_rows_without_a_truth_are_not_part_of_the_world() -> None:
    assert list(known()) == ["0", "2"]
    assert list(known(id="key", truth="harm")) == ["x", "z"]
    assert known()["0"] > 0 > known()["2"]


@pytest.mark.parametrize(
    ("table", "options", "says"),
    [
        (WORLD, {"id": "no"}, "no column 'no'"),
        (WORLD, {"truth": "no"}, "no column 'no'"),
        (WORLD, {"truth": "text"}, "holds no numbers"),
        (pa.table({"a": [1], "b": [2.0]}), {}, "--truth: a, b"),
        (pa.table({"a": ["x"]}), {}, "no numeric column"),
        (pa.table({"a": pa.array([None], pa.float64())}), {}, "no row of the world"),
        (pa.table({"k": ["a", "a"], "t": [1, 2]}), {"id": "k"}, "'a' more than once"),
        (pa.table({"k": ["a", None], "t": [1, 2]}), {"id": "k"}, "no id in row 1"),
    ],
)
def test_a_world_it_cannot_use_is_refused_in_one_sentence(
    table: pa.Table, options: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        known(table, **options)


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    """The address is the first line on stdout; Ctrl-C ends it without a word."""
    world, log = tmp_path / "world.csv", tmp_path / "log.jsonl"
    world.write_text("key,harm\nx,1\ny,2\n")
    command = [sys.executable, "-c", "from commedia.cli.main import main; main()", "serve"]
    options = ["--world", str(world), "--id", "key", "--log", str(log)]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().strip()
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        request = urllib.request.Request(f"{address}/v1/messages", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=20) as response:
            assert json.load(response)["type"] == "message"
        process.send_signal(signal.SIGINT)
        rest, complaints = process.communicate(timeout=20)

        assert (process.returncode, rest, complaints) == (0, "", "")
    assert json.loads(log.read_text())["status"] == 200


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    from commedia.actors.models.loopback import listen
    from commedia.cli.main import run

    world = tmp_path / "world.csv"
    world.write_text("key,harm\nx,1\n")
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", "--world", str(world), "--id", "key", "--port", port]) == 2


def test_agents_are_served_without_a_world() -> None:
    command = [sys.executable, "-c", "from commedia.cli.main import main; main()", "serve"]
    with subprocess.Popen(
        [*command, "--model", "sim:opus", "--latency", "0.01"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{address}/v1/models", timeout=20) as response:
            assert json.load(response)["commedia"]["agents"] == "sim:opus"
        process.send_signal(signal.SIGINT)


def test_only_simulated_models_are_served() -> None:
    from commedia.cli.main import run

    assert run(["serve", "--model", "claude-opus-5-5"]) == 2


@pytest.mark.parametrize(
    "options",
    [
        ["--rpm", "0"],
        ["--itpm", "many"],
        ["--latency", "slow"],
        ["--time-scale", "0"],
        ["--faults", "nowhere.toml"],
    ],
)
def test_an_option_it_cannot_use_is_a_usage_error(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from commedia.cli.main import run

    assert run(["serve", *options]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_rules_of_its_help_can_be_served(tmp_path: Path) -> None:
    """The example is a file of faults as it stands."""
    from commedia.actors.models.serving.faults import faults_from
    from commedia.cli.serve import EPILOG

    lines = EPILOG.split("decides:")[1].split("\n\n")[0]
    path = tmp_path / "faults.toml"
    path.write_text("\n".join(line.strip() for line in lines.splitlines()))

    assert [rule.fault[0] for rule in faults_from(path).rules] == ["500", "529", "429"]


def test_faults_limits_and_a_pace_are_served(tmp_path: Path) -> None:
    faults, log = tmp_path / "faults.toml", tmp_path / "log.jsonl"
    faults.write_text('[[rule]]\nfault = "529"\nfrom_request = 2\n')
    command = [sys.executable, "-c", "from commedia.cli.main import main; main()", "serve"]
    options = ["--faults", str(faults), "--rpm", "10", "--otpm", "2M", "--log", str(log)]
    pace = ["--latency", "haiku", "--time-scale", "10"]
    with (
        subprocess.Popen([*command, *options, *pace], stdout=subprocess.PIPE, text=True) as process,
        contextlib.ExitStack() as at_last,
    ):
        at_last.callback(process.terminate)
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        request = urllib.request.Request(f"{address}/v1/messages", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=20) as response:
            headers = response.headers
        with pytest.raises(urllib.error.HTTPError, match="529"):
            urllib.request.urlopen(request, timeout=20)
    lines = [json.loads(line) for line in log.read_text().splitlines()]

    assert headers["anthropic-ratelimit-requests-remaining"] == "9"
    assert headers["anthropic-ratelimit-output-tokens-limit"] == "20000000"
    assert [line["status"] for line in lines] == [200, 529]


def test_it_can_be_interrupted_while_a_client_waits_for_ever(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"fault": "hang"}]')
    command = [sys.executable, "-c", "from commedia.cli.main import main; main()", "serve"]
    with subprocess.Popen(
        [*command, "--faults", str(faults)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().strip())
        body = b'{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
        head = f"POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((url.hostname or "", url.port or 0)) as waiting:
            waiting.sendall(head.encode() + body)
            waiting.settimeout(0.3)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=20)

    assert (process.returncode, complaints) == (0, "")
