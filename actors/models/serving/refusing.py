"""The response to a request that a fault keeps from being accepted."""

from starlette.responses import Response

from .desk import Desk
from .errors import error_response
from .faults import Strike, Where
from .ledger import Entry
from .sending import Course, Sent


def struck_response(desk: Desk, entry: Entry, strike: Strike, *, on: Where) -> Response:
    """Return the response to a request that *strike* kept from being accepted."""
    desk.let_in(entry, on=on)
    entry.status = strike.status
    if on == "messages":
        desk.ledger.write(entry)
    if strike.status is None:
        return Sent(Course(has_headers=False, hangs_up=True), desk.time, headers={})
    headers = {**_retry_after(strike), **desk.limit_headers(entry.model or "")}
    return error_response(strike.status, strike.rule.message, entry.id, headers)


def _retry_after(strike: Strike) -> dict[str, str]:
    after = strike.rule.retry_after
    if after is None or isinstance(after, str):
        return {} if after is None else {"retry-after": after}
    return {"retry-after": f"{after:.0f}" if after == round(after) else f"{after:g}"}
