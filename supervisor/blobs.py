"""Values too long for a journal's line: files named by the hash of what they hold."""

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..actors.errors import BlobCorruptError, BlobMissingError

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of byte strings under their SHA-256; any thread and process may put."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Keep *data* and return its digest, once it is durable."""
        digest = hashlib.sha256(data).hexdigest()
        file = self._file(digest)
        for folder in (self._folder, file.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not _holds(file, data):
            _write(file, data)
        # Also for what was there: who put it may have died before it made the entry durable.
        for folder in (file.parent, self._folder, self._folder.parent):
            sync_folder(folder)
        return digest

    def get(self, digest: str) -> bytes:
        """Return what was put; raises BlobMissingError, or BlobCorruptError if it has changed."""
        if not _DIGEST.fullmatch(digest):  # it names a file, so it is not taken on trust
            raise BlobMissingError(str(self._folder), digest)
        file = self._file(digest)
        try:
            data = file.read_bytes()
        except FileNotFoundError as error:
            raise BlobMissingError(str(self._folder), digest) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise BlobCorruptError(str(file))
        return data

    def _file(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:]


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable: syncing a file does not sync its entry."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(file: Path, data: bytes) -> bool:
    """Whether *file* is *data* already: a damaged one is written anew."""
    try:
        return file.read_bytes() == data
    except FileNotFoundError:
        return False


def _write(file: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as part:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
