"""What all tests share: a run store of their own, no key, and one Ray for the whole test run."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commedia.supervisor.runtime.base import Runtime
from commedia.supervisor.runtime.inline_runtime import InlineRuntime

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_configure() -> None:
    """Take SIGINT back: what a shell starts in the background ignores it, as do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are kept in the test's own folder, and no test sees a key."""
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path / "home"))
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
