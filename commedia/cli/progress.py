"""Shows a run on standard error: live on a terminal, as a few plain lines elsewhere."""

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from ..supervisor.progress import RunProgress

MAX_PLAIN_LINES = 30
REFRESH_HZ = 4


class ProgressView:
    """Takes a run's progress and shows it; a context manager, called with each RunProgress.

    The first line on the screen says "simulated" when no model is asked. Quiet shows nothing of
    that. Where SIGTERM ends the block, the last line says how to go on.
    """

    def __init__(self, *, quiet: bool, console: "Console | None" = None) -> None:
        self.quiet = quiet
        self.has_said_simulated = False
        self._console = console
        self._live: Live | None = None
        self._latest: tuple[RunProgress, float] | None = None
        self._lines = 0
        self._last_round = 0
        self._last_phase = ""
        self._is_paused = False
        self._run_id = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if kind is not None and issubclass(kind, SystemExit) and self._run_id:  # SIGTERM
            self.say(
                f"ended from outside: what was answered is kept; go on with: commedia resume "
                f"{self._run_id}"
            )

    def __call__(self, progress: "RunProgress") -> None:
        """Take the latest *progress*; what is urgent is said however quiet this is."""
        self._run_id = progress.run_id or self._run_id
        if progress.is_urgent:
            for line in progress.said:
                self.say(line)
            return
        if self.quiet:
            return
        self._latest = (progress, time.monotonic())
        self._announce(progress)
        if self._is_paused:
            return
        if self.console.is_terminal:
            self._start_live()
        elif self._is_due(progress):
            self.say(describe(progress))

    @property
    def console(self) -> "Console":
        """The terminal on standard error, made when first needed."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(stderr=True, highlight=False)
        return self._console

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to somebody else inside."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def say(self, line: str) -> None:
        """Print *line*, made inert, on standard error, above the live display."""
        from ..inert import inert

        if self.console.is_terminal:
            self.console.print(inert(line), markup=False, soft_wrap=True)
        else:
            print(inert(line), file=self.console.file, flush=True)

    def _announce(self, progress: "RunProgress") -> None:
        """Say what is worth a line of its own: that a run is simulated, and what it logs."""
        from ..results import simulated_line
        from ..run_result import simulated_run_line

        if progress.simulated and not self.has_said_simulated:
            self.has_said_simulated = True
            line = simulated_line if progress.is_sort else simulated_run_line
            self.say(line(progress.model))
        for logged in progress.said:
            self.say(logged)

    def _is_due(self, progress: "RunProgress") -> bool:
        """Whether a plain line is worth printing: one a round, and not more than a few dozen."""
        news = (progress.rounds, "" if progress.is_sort else progress.phase)
        if news == (self._last_round, self._last_phase) or self._lines >= MAX_PLAIN_LINES:
            return False
        self._last_round, self._last_phase = news
        self._lines += 1
        return True

    def _start_live(self) -> None:
        if self._live is None:
            from rich.live import Live

            self._live = Live(
                console=self.console,
                get_renderable=self._render,
                refresh_per_second=REFRESH_HZ,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()

    def _render(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        assert self._latest is not None
        progress, shown_at = self._latest
        since = time.monotonic() - shown_at
        grid = Table.grid(padding=(0, 1))
        if _expects_more(progress):
            bar = ProgressBar(total=progress.expected_calls, completed=progress.calls, width=40)
            grid.add_row(bar)
        grid.add_row(Text(describe(progress, since_s=since), overflow="ellipsis", no_wrap=True))
        return grid


def _counts_rounds(progress: "RunProgress") -> bool:
    return progress.is_sort and not progress.phase.lower().startswith("round")


def _expects_more(progress: "RunProgress") -> bool:
    """Whether it is known about how many calls there will be; a run may need more after all."""
    return bool(progress.expected_calls) and progress.calls <= (progress.expected_calls or 0)


def describe(progress: "RunProgress", *, since_s: float = 0.0) -> str:
    """Return *progress* as one line; *since_s* is how long ago it was true."""
    from ..inert import inert
    from ..results import counted

    calls = counted(progress.calls, "call")
    if _expects_more(progress):
        calls = f"{progress.calls:,} of about {progress.expected_calls:,} calls"
    phase = inert(progress.phase, 40)
    parts = [
        phase,
        f"round {progress.rounds}" if _counts_rounds(progress) else "",
        calls if progress.is_sort else f"{calls} so far",
        f"{progress.tokens:,} tokens",
    ]
    if progress.cost_usd is not None:
        parts.append(f"${progress.cost_usd:,.4f}")
    if progress.predicted_recall is not None:
        parts.append(f"predicted recall {progress.predicted_recall:.2f}")
    elif progress.predicted_tau is not None:
        parts.append(f"predicted tau {progress.predicted_tau:.3f}")
    if progress.missing:
        parts.append(f"{progress.missing:,} without an answer")
    parts.append(f"{progress.elapsed_s + since_s:.1f} s")
    if progress.simulated:
        parts.append("simulated")
    return " · ".join(part for part in parts if part)
