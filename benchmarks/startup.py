"""What a fresh process costs before the first request leaves.

    python benchmarks/startup.py

`import` is `import labkit` less a bare interpreter. `first request` is from `lab.plan(...)` to the moment
the server has the request, in a process that imported labkit and made a lab, as a notebook's second cell has.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

IMPORT = "import time; a = time.perf_counter(); import labkit; print(time.perf_counter() - a)"
ASK = """
import sys, time
import labkit as lk
lab = lk.Lab("lab.duckdb")
dialect, url = sys.argv[1:]
began = time.time()
free = {"input": 0, "output": 0}
model = lk.Model(f"{dialect}/none", dialect=dialect, base_url=url, key_env="", prices=free)
run = lab.plan(prompts=["Say {{ word }}"], models=[model], dataset=[{"word": "hi"}]).start(progress="none")
print(began, flush=True)
run.wait()
"""
RUNS = 5


class Witness(HTTPServer):
    """Notes when a request arrived, and refuses it."""

    arrived = 0.0


class Refusing(BaseHTTPRequestHandler):
    """400 to everything."""

    server: Witness

    def do_POST(self) -> None:
        """Note the time and refuse."""
        self.server.arrived = time.time()
        self.send_response(400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def import_s() -> float:
    """Seconds `import labkit` takes in a fresh process."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    return float(done.stdout)


def first_request_s(dialect: str, witness: Witness) -> float:
    """Seconds from `lab.plan` to the request's arrival, in a fresh process and a fresh lab."""
    url = f"http://127.0.0.1:{witness.server_address[1]}" + ("/v1" if dialect == "openai" else "")
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", ASK, dialect, url]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    return witness.arrived - float(done.stdout)


def main() -> None:
    """Print medians and ranges."""
    witness = Witness(("127.0.0.1", 0), Refusing)
    threading.Thread(target=witness.serve_forever, daemon=True).start()
    import_s()
    rows = {
        "import labkit": [import_s() for _ in range(RUNS)],
        "first request, openai": [first_request_s("openai", witness) for _ in range(RUNS)],
        "first request, anthropic": [first_request_s("anthropic", witness) for _ in range(RUNS)],
    }
    for what, seconds in rows.items():
        print(f"{what:26} {statistics.median(seconds):.3f} s  ({min(seconds):.3f}–{max(seconds):.3f})")


if __name__ == "__main__":
    main()
