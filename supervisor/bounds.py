"""What simulated calls may take at most; what paid ones may, the gateway knows."""

import numpy as np
import pyarrow as pa

from ..actors.answers import ROOM
from ..actors.models.prices import PRICED_AS, price_of
from ..actors.simulation.keyed import Ints
from ..actors.simulation.profile import profile_of
from .budget import Amount
from .purse import Purse


def affordable_agents(purse: Purse, requests: pa.RecordBatch, *, is_free: bool) -> int:
    """Return how many of *requests*, from the first, fit; *is_free* where a gateway counts."""
    return purse.affords(*_bounds(requests, is_free=is_free))


def bound_of(requests: pa.RecordBatch, *, is_free: bool) -> Amount:
    """Return what *requests* may take together: nothing where a gateway counts."""
    tokens, nanousd = _bounds(requests, is_free=is_free)
    return Amount(int(tokens.sum()), int(nanousd.sum()))


def _bounds(requests: pa.RecordBatch, *, is_free: bool) -> tuple[Ints, Ints]:
    """Return tokens and nano-dollars, one a request."""
    rows = requests.num_rows
    nothing = np.zeros(rows, np.int64)
    if is_free or not rows:
        return nothing, nothing
    tokens_in = requests.column("context_tokens").fill_null(0).to_numpy().astype(np.int64)
    room = requests.column("max_tokens").fill_null(ROOM).to_numpy().astype(np.int64)
    models = requests.column("model")
    names, place = models.dictionary.to_pylist(), models.indices.to_numpy()
    costs = np.zeros(rows, np.int64)
    for number in np.unique(place).tolist():
        profile = profile_of(names[number])
        price = price_of(profile.priced_as if profile else PRICED_AS)
        if price is not None:
            costs = np.where(place == number, price.costs(tokens_in, room), costs)
    return tokens_in + room, costs
