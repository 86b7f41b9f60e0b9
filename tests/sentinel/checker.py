"""A process that checks runs of a planted lab, as its words say; its model keeps in a file what it is asked.

Words: the lab's folder, then one JSON mapping: `name` (the sentinel's), `runs` (ids, or a number of nights to
ask), `right` (the share of rows answered right, also of the re-ask), `delay_s`, `notify`. It says `ready`,
waits for a line, and says what each check came to as a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import labkit as lk
from labkit.providers.script import Reply
from labkit.records import Request, Usage

ROWS = 20
PRICES = {"input": 1.0, "output": 4.0}


def model(asked: Path, right: float, delay_s: float = 0.0, name: str = "m") -> lk.Model:
    """One that keeps what it is asked, a line a request, written at once."""

    def answer(request: Request) -> Reply:
        n = int(request.messages[-1]["content"].split()[-1])
        with open(asked, "ab", buffering=0) as file:
            file.write(f"{os.getpid()} {name} {n}\n".encode())
        said = "yes" if n < round(right * ROWS) else "no"
        return Reply(said, usage=Usage(input_tokens=100, output_tokens=10), first_token_s=delay_s)

    return lk.Model(f"scripted/{name}", client=lk.Script(answer, version="1"), prices=PRICES)


def lab_of(folder: Path, **wanted: Any) -> lk.Lab:
    """The lab, whose model is asked again."""
    return lk.Lab(
        folder / "lab.duckdb", workspace="nightly", models=[model(folder / "asked", **wanted)], user="ada"
    )


def night(lab: lk.Lab, asked: Path, **wanted: Any) -> lk.Run:
    """A run asked afresh."""
    repeats = wanted.pop("repeats", 1)
    plan = lab.plan(
        prompts=[lk.Prompt("ask", "Say {{ n }}")],
        models=[model(asked, **wanted)],
        dataset=[{"id": str(n), "n": n, "target": "yes"} for n in range(ROWS)],
        scorers=[lk.exact("target")],
        repeats=repeats,
        # Two processes that ask the same plan at once are refused one run.
        experiment=f"tickets {os.getpid()}",
    )
    return plan.run(fresh=True, progress="none")


def main(folder: Path, wanted: dict[str, Any]) -> None:
    """What the words say."""
    how = {"right": wanted["right"], "delay_s": wanted.get("delay_s", 0.0)}
    lab = lab_of(folder, **how)
    watch = lab.sentinel(wanted["name"], latency=None, cost=None, notify=wanted.get("notify"))
    print("ready", flush=True)
    sys.stdin.readline()
    runs = wanted["runs"]
    for one in range(runs) if isinstance(runs, int) else runs:
        run = night(lab, folder / "asked", **how) if isinstance(one, int) else lab.run(one)
        made = watch.check(run)
        told = {"outcome": made.outcome, "night": made.night, "run": made.run_id, "again": made.again_run_id}
        print(json.dumps(told | {"said": str(made)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
