"""Questions at a terminal: a workflow's, and whether to begin at all."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..consent import Consent
    from ..supervisor.desk import Inquiry
    from .progress import ProgressView


def asker(view: "ProgressView") -> "Callable[[Inquiry], str | None] | None":
    """Return what asks the user; None where nobody is at a terminal."""
    if not _is_there():
        return None

    def ask(inquiry: "Inquiry") -> str | None:
        from ..inert import inert

        with view.paused():
            question = inert(inquiry.question, 2_000)
            kind = (
                click.Choice([inert(o, 200) for o in inquiry.options]) if inquiry.options else None
            )
            try:
                answer = click.prompt(question, default=inquiry.default, type=kind, err=True)
            except (click.Abort, EOFError):
                return None
        return str(answer)

    return ask


def consenter(view: "ProgressView", *, yes: bool) -> "Consent | None":
    """Return what shows an estimate, and asks whether to begin; None where nobody could say so.

    With *yes* the answer is known; whoever is at no terminal and did not say so needs a budget.
    """
    if not (yes or _is_there()):
        return None

    def consent(told: str) -> bool:
        from ..inert import inert

        with view.paused():
            click.echo(inert(told, 2_000), err=True)
            if yes:
                return True
            try:
                return click.confirm("begin?", default=False, err=True)
            except (click.Abort, EOFError):
                return False

    return consent


def _is_there() -> bool:
    """Whether somebody is at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
