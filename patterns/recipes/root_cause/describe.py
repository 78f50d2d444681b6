"""A digest as text for a model's context: the strongest signs first, each with rows to cite."""

from .panel import Witness
from .signs import Shown


def describe(witness: Witness, limit_chars: int = 12_000) -> str:
    """Return the signs of *witness*, strongest first, in at most *limit_chars*."""
    shown = [
        (sign, service, one)
        for sign, services in witness.reading.items()
        for service, one in services.items()
        if one.nats > 0
    ]
    shown.sort(key=lambda item: (-item[2].nats, item[0], item[1]))
    text = _measured(witness)[:limit_chars]
    for number, (sign, service, one) in enumerate(shown):
        line = _line(witness.name, sign, service, one)
        if len(text) + len(line) > limit_chars:
            rest = f"({len(shown) - number} weaker signs left out)"
            return text + rest if len(text) + len(rest) <= limit_chars else text
        text += line
    return text[:limit_chars]


def _measured(witness: Witness) -> str:
    """Say what could be measured at all: what is not there cannot be seen."""
    lines = [
        f"{witness.name}: {sign!r} could be measured at {len(services)} services\n"
        for sign, services in sorted(witness.reading.items())
    ]
    return "".join(lines)


def _line(name: str, sign: str, service: str, one: Shown) -> str:
    rows = ", ".join(f"{name}:{row}" for row in one.rows)
    return (
        f"{service}: {sign} ({one.nats:.1f} nats, as strong in {one.false_alarms:.0%} of "
        f"fault-free minutes): {one.note} [{rows}]\n"
    )
