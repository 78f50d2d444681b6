"""What all tests share: a run store of their own, no key, and one Ray for the whole test run."""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from places import Place

from commedia.supervisor.runtime.base import Runtime
from commedia.supervisor.runtime.inline_runtime import InlineRuntime

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
HOMES = itertools.count()

settings.register_profile("commedia", deadline=None, max_examples=40)
settings.load_profile("commedia")  # no deadline: a busy machine is slow, and breaks no law


def pytest_configure() -> None:
    """Let processes that tests start be interrupted, and keep what they compile."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # what a shell started in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = False  # else each of a hundred processes compiles all anew
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each worker of pytest-xdist has one core


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept in a folder of the test's own, made by who needs it; no test sees a key."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(HOMES))
    monkeypatch.setenv("COMMEDIA_HOME", str(home))
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared_ray() -> Iterator[Callable[[], Runtime]]:
    """The one Ray of the test run, started when the first test needs it."""
    from commedia.supervisor.runtime.ray_runtime import RayRuntime, start_ray, stop_ray

    start_ray()
    yield RayRuntime
    stop_ray()


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """Each runtime in turn: a law of actors is stated once, and holds on both."""
    if request.param == "inline":
        return InlineRuntime()
    made: Runtime = request.getfixturevalue("shared_ray")()
    return made


@pytest.fixture
def shared_data() -> Path:
    """The folder of recorded data, or a skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the recorded data is not at {SHARED}")
    return SHARED


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """A folder for a workflow file, in which the command is run."""
    return Place(tmp_path, capsys)
