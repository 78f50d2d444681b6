"""Error responses in the API's shape."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import JSONResponse, Response

_KINDS: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def request_id() -> str:
    """Return a new id of a request."""
    return f"req_{secrets.token_hex(12)}"


def error_body(status: int, message: str, request: str) -> dict[str, Any]:
    """Return what a response with an error *status* holds."""
    kind = _KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": request}


def error_response(
    status: int, message: str, request: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the response with an error *status*."""
    all_headers = {**(headers or {}), "request-id": request}
    return JSONResponse(error_body(status, message, request), status, headers=all_headers)
