"""The Messages API as a server of a test speaks it."""

from typing import Any


def message_body(text: str, **changes: Any) -> dict[str, Any]:
    """Return the body of a message that says *text*, with *changes*."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "served",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 5},
    }
    return {**body, **changes}
