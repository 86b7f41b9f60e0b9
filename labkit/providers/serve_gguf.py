"""The program that serves one GGUF file on this machine: llama.cpp's own server, by xllamacpp.

`servers` starts it in a process of its own, with `python -P`, and says on its standard input, in one
line of JSON, what to serve; it answers in one line, where. It ends when its input does, so it never
outlives the process that started it, however that one ended. It is not imported by labkit, imports
nothing of it, and does not know who asks.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    order = json.loads(sys.stdin.readline())
    # What the library may print must not get between the lines of the answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Ctrl-C in a terminal is meant for labkit, which stops asking and keeps what it has.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = start(order)
    except (RuntimeError, OSError, ImportError) as error:
        print(json.dumps({"error": str(error)}), file=answers, flush=True)
        sys.exit(1)
    print(json.dumps({"address": server.listening_address}), file=answers, flush=True)
    answers.close()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdin.read()
    # Nothing has to be written or released: no need to wait for answers nobody reads any more.
    os._exit(0)


def start(order: dict[str, Any]) -> Any:
    """A running `xllamacpp.Server`. Raises `RuntimeError` where the file cannot be served."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order["path"]
    # The alias is what answers call the model: without one they would tell the file's path.
    params.model_alias = {order["name"]}
    params.hostnames = ["127.0.0.1"]
    params.port = order["port"]
    params.api_keys = [order["key"]]
    params.ui = False
    params.n_parallel = order["slots"]
    params.n_ctx = order["slots"] * order["context_tokens"]
    # What is asked for is what is given: no shrinking of the context to what it thinks fits.
    params.fit_params = False
    params.cpuparams_batch.n_threads = order["reading_threads"]
    params.cpuparams.n_threads = order["answering_threads"]
    # Prompts once seen would be kept in up to 8 GB of memory; the slots' own are enough.
    params.cache_ram_mib = 0
    # With a full cache for sliding windows too, a prompt that begins like the last one is not read anew.
    params.swa_full = True
    if order["chat_template"] is not None:
        params.chat_template = order["chat_template"]
        params.use_jinja = True
    # Errors only: they go where `servers` reads them when the start fails.
    params.verbosity = 1
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
