"""JSON as text, by an encoder that is made once.

The standard library makes a new one for each value; for a small record that costs as much as the
text itself, and it leaves garbage to be collected.
"""

import json
from collections.abc import Callable
from json import encoder as library
from typing import Any

Encode = Callable[[Any], str]  # Any: JSON


def encoder(
    *,
    sort_keys: bool = False,
    allow_nan: bool = True,
    separators: tuple[str, str] = (", ", ": "),
) -> Encode:
    """Return what writes a value as json.dumps does with these options.

    Raises ValueError or TypeError for what is no JSON, and RecursionError for what holds itself.
    """
    plain = json.JSONEncoder(sort_keys=sort_keys, allow_nan=allow_nan, separators=separators)
    make = getattr(library, "c_make_encoder", None)
    if make is None:  # a Python without it in C
        return plain.encode
    between, after_key = separators
    quote = library.encode_basestring_ascii
    write = make(None, plain.default, quote, None, after_key, between, sort_keys, False, allow_nan)
    return lambda value: "".join(write(value, 0))
