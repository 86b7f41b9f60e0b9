"""How long planning 100,000 cells of distinct messages takes: render, hash, look up what is known.

    python benchmarks/planning.py [--cells 100000]

Beside it, in the same run: the same prompts rendered by bare Jinja2 and hashed with hashlib and json, which
is what somebody would write to have a cache key.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import jinja2

import labkit as lk

TEXT = "Is this message positive or negative? Answer in one word.\n\nMessage: {{ text }}"
LOREM = "the courier left my parcel in the rain and nobody answers the phone " * 4


def labkits(rows: list[dict[str, Any]], path: Path) -> dict[str, float]:
    """Seconds for the plan itself, and for looking up what is known."""
    model = lk.Model("scripted/none", client=lk.Script(["x"], version="1"))
    lab = lk.Lab(path)
    began = time.perf_counter()
    plan = lab.plan(prompts=[lk.Prompt("p", TEXT)], models=[model], dataset=rows)
    planned = time.perf_counter()
    known = plan.known
    assert known.why.count("") == 0
    return {"plan": planned - began, "look up": time.perf_counter() - planned}


def by_hand(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds for rendering and hashing as one would write it."""
    began = time.perf_counter()
    template = jinja2.Environment(autoescape=False).from_string(TEXT)
    keys = set()
    for row in rows:
        messages = [{"role": "user", "content": template.render(**row)}]
        payload = json.dumps(["m", {"temperature": 0}, messages], sort_keys=True)
        keys.add(hashlib.sha256(payload.encode()).hexdigest())
    assert len(keys) == len(rows)
    return {"by hand": time.perf_counter() - began}


def main() -> None:
    """Run it and print one line per step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=100_000)
    count = parser.parse_args().cells
    rows = [{"text": f"{number}: {LOREM}"} for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        filled = Path(folder) / "filled.duckdb"
        labkits(rows[:10], filled)
        os.environ["LABKIT_PROGRESS"] = "none"
        model = lk.Model("scripted/none", client=lk.Script(["x"], version="1"))
        lk.Lab(filled).plan(prompts=["Say {{ text }}"], models=[model], dataset=rows[:2_000]).run()
        for _ in range(3):
            took = {**by_hand(rows), **labkits(rows, filled)}
            whole = took["plan"] + took["look up"]
            steps = "  ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items())
            print(f"{count:,} cells: {whole:.2f} s  ({steps}; {whole / took['by hand']:.2f}× by hand)")


if __name__ == "__main__":
    main()
