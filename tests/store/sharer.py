"""Uses a lab together with other processes for so many seconds, and prints what it saw as JSON.

Started by `test_shared.py`: `write` puts ten rows after another and waits for them, `read` counts.
Not a test itself.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from victim import row

from labkit.store import Store, journal_line

TOGETHER = 10
TEXT_BYTES = 1_000


def write(lab: Path, seconds: float) -> dict[str, float]:
    """Rows that were acknowledged, their bytes, and the longest any of them took."""
    store = Store(lab)
    writer = store.writer()
    rows, bytes_, worst_s = 0, 0, 0.0
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        left = threading.Semaphore(0)
        put_at = time.monotonic()
        for _ in range(TOGETHER):
            rows += 1
            record = row(f"{os.getpid()}-{rows}", os.urandom(TEXT_BYTES // 2).hex())
            bytes_ += len(journal_line.body(record))
            writer.generation(record, left.release)
        for _ in range(TOGETHER):
            left.acquire()
        worst_s = max(worst_s, time.monotonic() - put_at)
    store.close()
    return {"rows": rows, "bytes": bytes_, "worst_s": worst_s}


def read(lab: Path, seconds: float) -> dict[str, float]:
    """How often it counted, the last count, and how often a count went back."""
    store = Store(lab, wait_s=60.0)
    looks, most, back = 0, 0, 0
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        found = store.table("select count(*) as n from generations")["n"][0].as_py()
        looks, back, most = looks + 1, back + (found < most), max(most, found)
    return {"looks": looks, "rows": most, "back": back}


if __name__ == "__main__":
    roles = {"write": write, "read": read}
    role, lab, seconds = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(roles[role](Path(lab), float(seconds))), flush=True)
