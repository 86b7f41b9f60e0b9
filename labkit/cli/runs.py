"""Commands that read a lab: its models, its runs, one run, any SQL, a backup. None of them asks a model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from labkit.cli.output import json_option, lab_option, show_frame, show_json, show_rows
from labkit.lab import Lab
from labkit.nearest import by_likeness


@click.command()
@click.argument("words", nargs=-1)
@json_option
@lab_option
def models(words: tuple[str, ...], as_json: bool, path: str | None) -> None:
    """List models: context window, price per million tokens, and whether a key was found.

    WORDS narrow the list: every word must stand in a model's id, label or aliases.
    """
    frame = Lab(path).models.frame()
    listed = list(frame["id"])
    names = (frame["id"] + " " + frame["label"].fillna("") + " " + frame["aliases"].astype(str)).str.lower()
    for word in words:
        # An argument that is no text of this system is in no model's name, and pandas cannot look for it.
        sought = word.lower().encode(errors="replace").decode()
        frame = frame[names.loc[frame.index].str.contains(sought, regex=False)]
    columns = ["id", "context_window", "input_usd_mtok", "output_usd_mtok", "prices_from", "retired", "key"]
    near = ", ".join(by_likeness(" ".join(words), listed)[:3])
    empty = f"no model matches; the nearest are {near}"
    show_frame(frame if as_json else frame[columns], as_json=as_json, empty=empty)


@click.command()
@click.option("--workspace", help="Only this workspace.")
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@json_option
@lab_option
def runs(workspace: str | None, limit: int, as_json: bool, path: str | None) -> None:
    """List runs, newest first."""
    frame = Lab(path).runs(workspace=workspace, limit=limit)
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
    show_frame(frame if as_json else frame[columns], as_json=as_json, empty=empty)


@click.command()
@click.argument("run_id", default="latest")
@click.option("--next", "hint", is_flag=True, help="Say what to type next.")
@json_option
@lab_option
def show(run_id: str, hint: bool, as_json: bool, path: str | None) -> None:
    """Show one run: its summary by prompt and model. RUN_ID may be `latest`."""
    from labkit import summary

    lab = Lab(path)
    run = lab.run(run_id)
    frame = run.summary()
    if as_json:
        show_json({"run_id": run.run_id, "status": run.status, "summary": frame.to_dict("records")})
        return
    click.echo(f"run {run.run_id}: {run.status}\n")
    click.echo(summary.text(frame))
    if hint:
        click.echo(_next(lab))


def _next(lab: Lab) -> str:
    """Where the lab is, and commands as they can be typed from here."""
    here, python = Path.cwd(), Path(sys.executable)
    folder = python.parent.relative_to(here) if python.is_relative_to(here) else python.parent
    code = f"import duckdb; print(duckdb.connect('{lab.path}', read_only=True).sql('from generations'))"
    return f"""
the lab  {lab.path.resolve()}
as rows  {folder}/python -c "{code}"
next     make lab                    the notebook in JupyterLab, to change a prompt and run it again
         {folder}/labkit models     other models, their prices, and which keys were found"""


@click.command()
@click.argument("query")
@click.option(
    "--timeout", "timeout_s", type=float, default=60.0, show_default=True, help="Seconds it may take."
)
@json_option
@lab_option
def sql(query: str, timeout_s: float, as_json: bool, path: str | None) -> None:
    """Run QUERY on the lab, read-only and locked down."""
    lab = Lab(path)
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
    made: Any = Lab(path).backup(to)
    if as_json:
        show_json({"backup": str(made)})
    else:
        click.echo(f"backed up to {made}")
