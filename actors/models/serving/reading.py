"""The body of an HTTP request, up to a limit."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest

MAX_BODY_BYTES: Final = 32 * 2**20
MAX_BATCH_BYTES: Final = 256 * 2**20


async def read_body(request: HttpRequest, most: int) -> bytes:
    """Return the body of *request*; raises HTTPException 413 beyond *most* bytes."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise HTTPException(413, f"the body is larger than {most} bytes")
    return bytes(data)
