"""The benchmark of money: `python -m commedia.benchmarks.money` prints every figure and its bar.

The real SDK talks to `commedia serve` in another process, whose log says what was charged: it is
the auditor. Exits 1 when a bar is missed.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from ..supervisor.store import find_run
from . import chaos
from .auditor import MODEL, QUALITY, Books, items, keeping_books
from .command import ENTRY, environment
from .flows.fan import fan
from .rows import Row, at_least, at_most
from .sections import Section, run_sections

HEADER: Final = """\
Money. Claude is played by `commedia serve` in another process (SIMULATED answers); the SDK, the
sockets, the charges and the deaths of processes are real."""

CALLS: Final = 5_000
WIDE: Final = 1_000
ROOM: Final = 400
"""Tokens that an answer may take: what a call reserves is small beside the caps."""
A_MINUTE: Final = 3_000


def faults() -> list[Row]:
    """5,000 calls, 5% of which meet one of nine faults, charged ones among them."""
    kinds = '"429", "500", "529", "500_charged", "drop_before", "drop_after", "drop_midway"'
    rule = f'[[rule]]\nfault = [{kinds}, "malformed"]\nshare = 0.05'
    with keeping_books(items(2), "--latency", "0.01", faults=[rule]) as books:
        with books.session(runtime="inline", in_flight=64) as session:
            result = session.run(fan, width=CALLS)
        agents = find_run(result.run_id).agents().to_pylist()
        ended = Counter(agent["status"] for agent in agents)
        silent = [a for a in agents if a["status"] != "ok" and not a["reason"]]
        lost = CALLS - ended["ok"]
        status = "degraded" if lost else "completed"
        return [
            Row("requests, and of them charged", _requests(books)),
            Row("agents listed", f"{len(agents):,}", f"= {CALLS:,}", len(agents) == CALLS),
            Row("listed once", "", "yes", len({a["path"] for a in agents}) == CALLS),
            Row("answered", f"{ended['ok']:,}"),
            at_most("not answered, without a reason", len(silent), 0),
            Row("status", result.status, f"= {status}", result.status == status),
            at_most("charged by the server / counted", books.tokens() / result.tokens, 1.0, ".3f"),
        ]


def budgets() -> list[Row]:
    """1,000 calls at once against small caps: on tokens, on dollars, and on both."""
    rows = []
    for title, budget in (
        ("tokens", "60k"),
        ("dollars", "0.02usd"),
        ("both", "60k 0.02usd"),
    ):
        with keeping_books(items(2), "--latency", "0.05") as books:
            with books.session(runtime="inline", in_flight=WIDE, budget=budget) as session:
                result = session.run(fan, width=WIDE, room=ROOM)
            spent = max(_shares(books, budget).values())
            rows += [
                at_most(f"{title} ({budget}): the server's log / cap", spent, 1.0, ".3f"),
                at_least(f"{title}: used of the cap", spent, 0.8, ".3f"),
                Row(f"{title}: status", result.status, "= paused", result.status == "paused"),
            ]
    return rows


def limits() -> list[Row]:
    """A server of 3,000 requests a minute that counts by the second; and one that asks to wait."""
    wide = 2_000
    options = ("--latency", "0.2", "--rpm", str(A_MINUTE), "--burst", "1")
    with keeping_books(items(2), *options) as books:
        with books.session(runtime="inline", in_flight=200) as session:
            session.run(fan, width=wide)
        lines = books.lines()
        times = sorted(_time(line) for line in lines if line["status"] == 200)
        refused = sum(line["status"] == 429 for line in lines)
        steady = times[len(times) // 4 :]
        rate = 60.0 * (len(steady) - 1) / (steady[-1] - steady[0])
        late = [ln for ln in lines if ln["status"] == 429 and _time(ln) >= steady[0]]
        rows = [
            at_least("steady: share of the allowed rate", rate / A_MINUTE, 0.9, ".3f"),
            at_most("steady: refused", len(late), 0),
            at_most("from the first call on: share refused", refused / wide, 0.01, ".4f"),
        ]
    rule = '[[rule]]\nfault = "429"\nfrom_request = 300\nto_request = 300\nretry_after = 3'
    with keeping_books(items(2), "--latency", "0.05", faults=[rule]) as books:
        with books.session(runtime="inline", in_flight=64) as session:
            session.run(fan, width=WIDE)
        times = [_time(line) for line in books.lines()]
        pause = max(later - sooner for sooner, later in pairwise(sorted(times)))
        rows.append(at_least("retry-after of 3 s: nothing arrived for, s", pause, 2.8, ".2f"))
    return rows


def consent() -> list[Row]:
    """A real model, nobody to ask, no budget and no --yes: nothing is sent."""
    with keeping_books(items(20)) as books:
        command = [
            *ENTRY,
            "sort",
            str(books.world),
            "--by",
            QUALITY,
            "--text",
            "text",
            "--id",
            "id",
        ]
        command += ["--model", MODEL, "--base-url", books.address, "--runtime", "inline"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )
        return [
            at_most("requests in the server's log", len(books.lines()), 0),
            Row("exit code", str(done.returncode), "= 2", done.returncode == 2),
            Row("it says", done.stderr.strip()[:60]),
        ]


def resume_speed() -> list[Row]:
    """Runs of 10,000 and of 100,000 finished calls, resumed: nothing is asked again."""
    rows = []
    for calls, bar_s in ((10_000, 10), (100_000, 60)):
        found = _resumed(calls)
        rows += [
            at_most(f"{calls:,} calls: resumed in, s", found["took_s"], bar_s, ".1f"),
            Row(f"{calls:,} calls: memory, GB", f"{found['peak_gb']:.2f}"),
            at_most(f"{calls:,} calls: asked again", found["asked"], 0),
        ]
    return rows


def _resumed(calls: int) -> dict[str, Any]:
    import json

    program = PROGRAM.format(calls=calls)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


PROGRAM: Final = """
import json, resource, time, warnings
from commedia.session import Session
from commedia.benchmarks.flows.fan import fan
asked = []
def model(row):
    asked.append(1)
    return "an answer of some words, " * 4
with Session(model=model, runtime="inline", in_flight=256) as session:
    run = session.run(fan, width={calls})
    assert run.status == "completed", run.status
    before, began = len(asked), time.monotonic()
    again = session.resume(run.run_id)
    took = time.monotonic() - began
    assert again.value == run.value
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({{"took_s": took, "peak_gb": peak, "asked": len(asked) - before}}))
"""


def _time(line: Mapping[str, Any]) -> float:
    """Return when a request was accepted or refused, in seconds."""
    return datetime.fromisoformat(line["time"]).timestamp()


def _requests(books: Books) -> str:
    lines = books.lines()
    return f"{len(lines):,}, {sum(bool(line['charged']) for line in lines):,}"


def _shares(books: Books, budget: str) -> dict[str, float]:
    """Return what the server charged as a share of each cap of *budget*."""
    from ..actors.models.prices import price_of
    from ..supervisor.budget import Budget

    caps, price = Budget.parse(budget), price_of(MODEL)
    assert price is not None
    usages = [line["usage"] for line in books.lines() if line["charged"] and line["usage"]]
    nanousd = sum(price.cost(u["input_tokens"], u["output_tokens"]) for u in usages)
    shares = {}
    if caps.tokens is not None:
        shares["tokens"] = books.tokens() / caps.tokens
    if caps.nanousd is not None:
        shares["nanousd"] = nanousd / caps.nanousd
    return shares


SECTIONS: Final[dict[str, Section]] = {
    **chaos.SECTIONS,
    "faults": faults,
    "budgets": budgets,
    "limits": limits,
    "consent": consent,
    "resume-speed": resume_speed,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sections asked for; return 1 when a bar is missed."""
    return run_sections("commedia.benchmarks.money", HEADER, SECTIONS, arguments, about=__doc__)


if __name__ == "__main__":
    sys.exit(main())
