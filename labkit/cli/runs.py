"""Commands that read a lab: its models, its runs, one run, any SQL, a backup. None of them asks a model."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from labkit.cli.output import WIDTH, json_option, show_frame, show_json, show_rows
from labkit.cli.which_lab import existing, lab_option
from labkit.dollars import usd
from labkit.errors import DefinitionError
from labkit.lab import Lab
from labkit.nearest import by_likeness
from labkit.summary.scores import score_names

if TYPE_CHECKING:
    import pandas as pd

    from labkit.run import Run
    from labkit.verdict import Verdict, Verdicts


@click.command()
@click.argument("words", nargs=-1)
@json_option
def models(words: tuple[str, ...], as_json: bool) -> None:
    """List models: context window, price per million tokens, and whether a key was found.

    WORDS narrow the list: every word must stand in a model's id, label or aliases.
    """
    frame = Lab().models.frame()
    listed = list(frame["id"])
    names = (frame["id"] + " " + frame["label"].fillna("") + " " + frame["aliases"].astype(str)).str.lower()
    for word in words:
        # An argument that is no text of this system is in no model's name, and pandas cannot look for it.
        sought = word.lower().encode(errors="replace").decode()
        frame = frame[names.loc[frame.index].str.contains(sought, regex=False)]
    columns = ["id", "label", "context_window", "input_usd_mtok", "output_usd_mtok", "retired", "key"]
    told = frame if as_json else frame[columns].dropna(axis="columns", how="all")
    near = ", ".join(by_likeness(" ".join(words), listed)[:3])
    show_frame(told, as_json=as_json, empty=f"no model matches; the nearest: {near}")


@click.command()
@click.option("--workspace", help="Only this workspace.")
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@json_option
@lab_option
def runs(workspace: str | None, limit: int, as_json: bool, path: str | None) -> None:
    """List runs, newest first."""
    frame = existing(path).runs(workspace=workspace, limit=limit)
    columns = [
        "run_id",
        "experiment",
        "workspace",
        "status",
        "cells",
        "done",
        "failed",
        "cost_usd",
        "started_at",
    ]
    empty = "no run yet" if workspace is None else f"no run in workspace {workspace!r}"
    told = frame.assign(cost_usd=frame["cost_usd"].map(usd, na_action="ignore"))[columns]
    show_frame(frame if as_json else told, as_json=as_json, empty=empty)


@click.command()
@click.argument("run_id", default="latest")
@json_option
@lab_option
def show(run_id: str, as_json: bool, path: str | None) -> None:
    """Show one run: its summary by prompt and model, and what it allows to say. RUN_ID may be `latest`."""
    from labkit import summary

    run = existing(path).run(run_id)
    if as_json:
        frame = run.summary()
        told = {"summary": frame.to_dict("records"), "notes": summary.lacking(frame)}
        show_json({"run_id": run.run_id, "status": run.status} | told | {"verdict": _as_json(run, frame)})
    else:
        tell(run)


def tell(run: Run) -> None:
    """Print the run's table, the answer that it allows, and what its columns mean."""
    from labkit import summary

    frame = run.summary()
    click.echo(f"run {run.run_id}: {run.status}\n")
    click.echo(summary.text(frame))
    if answer := _answer(run, frame):
        click.echo("\n" + "\n".join(textwrap.fill(said, WIDTH) for said in answer))
    click.echo("\n" + "\n".join(summary.legend(frame)))


def _verdict(run: Run, frame: pd.DataFrame) -> Verdict | Verdicts | None:
    """Which prompt on which model, by each score; None where there is nothing to choose. Raises
    DefinitionError where that cannot be said."""
    if run.status == "running":
        raise DefinitionError("It is still asking; what can be said is said when it is over.")
    by = [name for name in ("prompt", "model") if frame[name].nunique() > 1]
    if not by:
        return None
    scores = score_names(run.generations(columns=["score.*"]))
    return run.verdict(scores, by=by) if len(scores) > 1 else run.verdict(by=by)


def _answer(run: Run, frame: pd.DataFrame) -> list[str]:
    """What it comes to, in the verdict's own words, and how to ask for more of it."""
    from labkit.verdict import Verdicts

    try:
        found = _verdict(run, frame)
    except DefinitionError as error:
        return [str(error)]
    if found is None:
        return []
    if isinstance(found, Verdicts):
        scores, by = [one.scorer for one in found], list(found.verdicts[0].by)
        said, call = [], f"run.verdict({scores}, by={by})"
    else:
        said, call = list(found.sentences[:1]), f"run.verdict(by={list(found.by)})"
    return [found.headline, *found.conclusion, *said, f"({found.assurance}; each pair by {call})"]


def _as_json(run: Run, frame: pd.DataFrame) -> dict[str, Any] | None:
    try:
        found = _verdict(run, frame)
    except DefinitionError as error:
        return {"headline": str(error), "conclusion": []}
    if found is None:
        return None
    return {
        "headline": found.headline,
        "conclusion": list(found.conclusion),
        "assurance": found.assurance,
    }


@click.command()
@click.argument("query")
@click.option(
    "--timeout", "timeout_s", type=float, default=60.0, show_default=True, help="Seconds it may take."
)
@json_option
@lab_option
def sql(query: str, timeout_s: float, as_json: bool, path: str | None) -> None:
    """Run QUERY on the lab, read-only and locked down."""
    lab = existing(path)
    if as_json:
        show_rows(lab.store.query(query, timeout_s=timeout_s))
    else:
        show_frame(lab.sql(query, timeout_s=timeout_s), as_json=False, empty="no row")


@click.command()
@click.argument("to", type=click.Path(dir_okay=False))
@json_option
@lab_option
def backup(to: str, as_json: bool, path: str | None) -> None:
    """Copy the lab to the file TO, consistently, also while runs go on."""
    made: Any = existing(path).backup(to)
    if as_json:
        show_json({"backup": str(made)})
    else:
        click.echo(f"backed up to {made}")
