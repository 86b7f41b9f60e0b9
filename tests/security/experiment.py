"""What a person does with keys in the environment, and everything that may be left of it in a folder.

Run in a process of its own, which never names a key: `experiment.py CHANNELS`, a JSON object of dialect,
base URL and name of the key for each model.
"""

from __future__ import annotations

import json
import logging
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

logging.basicConfig(filename="debug.log", level=logging.DEBUG)

from click.testing import CliRunner  # noqa: E402

import labkit as lk  # noqa: E402
from labkit.cli.main import labkit  # noqa: E402
from labkit.engine.retry import Policy  # noqa: E402
from labkit.keys import for_model  # noqa: E402

POLICY = Policy(
    backoff_s=0.01, backoff_cap_s=0.02, timeout_s=2.0, deadline_s=8.0, attempts={"RateLimited": 3}
)
SHOWN: list[str] = []


def main(places: dict[str, dict[str, str]], cells: int) -> None:
    """Ask everything, keep everything, show everything."""
    models = [lk.Model(id, client=None, **place) for id, place in places.items()]
    lab = lk.Lab("lab.duckdb", models=models)
    rows = [{"q": str(number), "target": "x"} for number in range(cells)]
    plan = lab.plan(prompts=["{{ q }}?"], models=list(places), dataset=rows, scorers=[lk.exact()])
    run = plan.run(policy=POLICY, progress="lines", allow_unpriced=True)
    frame = run.generations()
    Path("frame.csv").write_text(frame.to_csv())
    Path("frame.html").write_text(frame.to_html(escape=False))
    Path("frame.pickle").write_bytes(pickle.dumps(frame))
    Path("attempts.json").write_text(lab.attempts().to_json())
    for table in ("runs", "requests", "models", "samples", "prompts", "scores", "unsettled"):
        Path(f"{table}.json").write_text(lab.sql(f"from {table}").to_json(default_handler=str))
    lab.export("exported")
    lab.backup("backup.duckdb")
    run.report("report.html")
    run.report("report.md")
    run.card("card.json")
    for ending in ("csv", "jsonl", "parquet"):
        run.export(f"run.{ending}")
        run.export(f"attempts.{ending}", table="attempts")
    figure = lk.charts.latency(run)
    Path("figure.json").write_text(figure.to_json())
    for thing in (lab, lab.models, plan, run, run.summary(), *models, lk.ModelSelector(lab)):
        SHOWN.extend((repr(thing), str(thing)))
        if hasattr(thing, "_repr_html_"):
            SHOWN.append(str(thing._repr_html_()))
        if hasattr(thing, "get_state"):
            SHOWN.append(json.dumps(thing.get_state(), default=repr))
    for command in ("models", "models faulty", "doctor", "runs", "show", "sql 'from attempts'"):
        for more in ("", " --json"):
            SHOWN.append(CliRunner().invoke(labkit, command + more).output)
    for name, broken in failures(lab, models).items():
        told(name, broken)
    Path("shown.txt").write_text("\n".join(SHOWN))
    print(frame.groupby(["model", "status"]).size().to_json())


def failures(lab: lk.Lab, models: list[lk.Model]) -> dict[str, Callable[[], Any]]:
    """Things that raise while keys are at hand."""
    missing = models[0].replace(id="faulty/missing", key_env="NO_SUCH_KEY")
    elsewhere = models[0].replace(id="openai/x", base_url="https://elsewhere.example/v1")

    def scored() -> Any:
        keys = [for_model(model) for model in models]
        raise RuntimeError(f"a person's own mistake, with {len(keys)} keys at hand")

    return {
        "missing": lambda: lab.plan(prompts=["Say a."], models=[missing]).run(),
        "elsewhere": lambda: lab.plan(prompts=["Say a."], models=[elsewhere]).run(),
        "own": scored,
        "pickled": lambda: pickle.dumps([for_model(model) for model in models]),
    }


def told(name: str, broken: Callable[[], Any]) -> None:
    """The traceback as Python, IPython and rich write it, with every variable, and the error's pickle."""
    import io

    from IPython.core.ultratb import VerboseTB
    from rich.console import Console
    from rich.traceback import Traceback

    try:
        broken()
    except Exception as error:  # noqa: BLE001 - all of it is to be shown
        seen = sys.exc_info()
        SHOWN.append("".join(traceback.format_exception(error)))
        with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
        SHOWN.append("".join(with_locals.format()))
        SHOWN.append(VerboseTB(color_scheme="NoColor", include_vars=True).text(*seen))
        out = io.StringIO()
        rich = Traceback.from_exception(
            *seen, show_locals=True, locals_max_length=None, locals_max_string=None
        )
        Console(file=out, width=200).print(rich)
        SHOWN.append(out.getvalue())
        Path(f"{name}.pickle").write_bytes(pickle.dumps(error))
    else:
        raise AssertionError(f"{name} did not fail")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]))
