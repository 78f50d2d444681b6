"""The address of a cluster: what is one, and whether anything answers there."""

import re
import socket

import pytest

from commedia.actors.errors import UsageError
from commedia.session import Session
from commedia.supervisor.runtime.joining import check_address, check_answers, unjoined


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "head.example:1", "[::1]:6379", " a:9 "])
def test_host_and_port_are_an_address(address: str) -> None:
    assert check_address(address) == address.strip()


@pytest.mark.parametrize(
    "address", ["", "auto", "head", "ray://head:10001", "a:0", "a:70000", ":1"]
)
def test_anything_else_is_refused_in_one_sentence(address: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"address {address!r} is no HOST:PORT")):
        check_address(address)


def test_an_address_where_nothing_answers_is_refused_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_answers(address)

    with pytest.raises(UsageError, match=f"nothing answers at {address}"):
        check_answers(address)


@pytest.mark.parametrize(
    ("error", "heard", "why"),
    [
        (
            "Failed to connect",
            b"gcs_client.cc:210: Unauthenticated: RPC error",
            "refused the token",
        ),
        ("no authentication token was found. Ensure", b"", "asks for a token, and there is none"),
        ("a version mismatch.\nmore", b"", "cannot be joined (a version mismatch)"),
    ],
)
def test_why_a_cluster_cannot_be_joined_is_one_sentence(error: str, heard: bytes, why: str) -> None:
    said = unjoined("10.0.0.1:6379", ConnectionError(error), heard)

    assert said.startswith("the Ray at 10.0.0.1:6379") and why in said
    assert "RAY_AUTH_TOKEN_PATH" in said and "\n" not in said


def test_an_address_means_nothing_inline() -> None:
    with pytest.raises(UsageError, match="an address is a Ray cluster's"):
        Session(runtime="inline", address="10.0.0.1:6379")
