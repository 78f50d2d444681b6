"""A workflow's questions at a terminal."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..supervisor.desk import Inquiry
    from .progress import ProgressView


def asker(view: "ProgressView") -> "Callable[[Inquiry], str | None] | None":
    """Return what asks the user; None where nobody is at a terminal."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
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
