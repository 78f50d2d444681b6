"""A blob is what was put, or an error that says so."""

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from commedia.actors.errors import BlobCorruptError, BlobMissingError
from commedia.supervisor.blobs import Blobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"text", bytes(range(256)) * 1000])
def test_what_is_put_can_be_had_again(folder: Path, data: bytes) -> None:
    digest = Blobs(folder).put(data)

    assert Blobs(folder).get(digest) == data


def test_a_blob_is_named_by_its_hash(folder: Path) -> None:
    digest = Blobs(folder).put(b"abc")

    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files(folder) == [folder / "ba" / digest[2:]]


def test_a_blob_is_for_its_owner_only(folder: Path) -> None:
    Blobs(folder).put(b"abc")

    assert stat.S_IMODE(files(folder)[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_putting_twice_keeps_one(folder: Path) -> None:
    blobs = Blobs(folder)
    with ThreadPoolExecutor(4) as threads:
        digests = set(threads.map(blobs.put, [b"the same" * 10_000] * 8))

    assert len(digests) == len(files(folder)) == 1


def test_a_changed_blob_is_refused_until_it_is_put_again(folder: Path) -> None:
    blobs = Blobs(folder)
    digest = blobs.put(b"abc")
    files(folder)[0].write_bytes(b"abd")

    with pytest.raises(BlobCorruptError, match=re.escape(digest[2:])):
        blobs.get(digest)
    assert blobs.put(b"abc") == digest
    assert blobs.get(digest) == b"abc"


def test_a_blob_that_is_not_there_is_missing(folder: Path) -> None:
    with pytest.raises(BlobMissingError, match="0000"):
        Blobs(folder).get("0" * 64)


@pytest.mark.parametrize("digest", ["", "ab", "../../etc/passwd", "A" * 64, "0" * 64 + "\n"])
def test_only_a_digest_names_a_blob(folder: Path, digest: str) -> None:
    """What a damaged or foreign journal refers to is never a path."""
    with pytest.raises(BlobMissingError):
        Blobs(folder).get(digest)
