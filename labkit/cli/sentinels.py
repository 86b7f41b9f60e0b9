"""`labkit sentinels`: each sentinel of a lab, and whether it still checks: cron can so watch the watcher.

It asks no model and checks no run; what is silent is for `labkit.sentinel.listing` to say.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from labkit.cli.checks import CANNOT_TELL
from labkit.cli.output import json_option, show_frame, show_json
from labkit.cli.which_lab import existing, lab_option
from labkit.nearest import by_likeness
from labkit.sentinel.listing import Listed
from labkit.sentinel.listing import sentinels as listed
from labkit.visible import visible


@click.command()
@click.option("--workspace", help="Only this workspace.")
@click.option(
    "--except",
    "retired",
    multiple=True,
    metavar="NAME",
    help="Leave this sentinel out, since nobody runs it any more. May be given several times.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Only say which are silent; the exit code is 4 if one is, or if there is none.",
)
@json_option
@lab_option
def sentinels(
    workspace: str | None, retired: tuple[str, ...], check: bool, as_json: bool, path: str | None
) -> None:
    """List sentinels: what each said last, since when, and whether it fell silent.

    One is silent when it has not checked for 36 hours and for half as long again as it usually takes from one
    check to the next, and when its baseline is as old and it never checked. A last check in the future counts
    as silence too: the clock was set back, and nobody can tell.
    """
    store = existing(path).store
    found = listed(store, now=datetime.now(UTC), workspace=workspace)
    kept = [one for one in found if one.sentinel not in retired]
    _tell_unknown(retired, {one.sentinel for one in found})
    none = f"no sentinel is watched{'' if workspace is None else f' in workspace {visible(workspace)!r}'}"
    if as_json:
        show_json([one.plain() for one in kept])
    elif not check:
        _show(kept, empty=none)
    if check:
        wrong = [_wrong(one) for one in kept if one.silence] if kept else [f"{none}: nobody would notice"]
        for said in wrong:
            click.echo(said, err=True)
        sys.exit(CANNOT_TELL if wrong else 0)


def _tell_unknown(retired: Sequence[str], names: set[str]) -> None:
    for name in retired:
        if name not in names:
            near = ", ".join(map(visible, by_likeness(name, sorted(names))[:3]))
            there = f"the nearest: {near}" if near else "there is none at all"
            click.echo(f"labkit: No sentinel is called {visible(name)!r}; {there}.", err=True)


def _wrong(one: Listed) -> str:
    where = f"{visible(one.sentinel)} in workspace {visible(one.workspace)}: {one.silence}"
    if one.checked_at is None:
        return where
    return f"{where} (last check {_minute(one.checked_at)}, run {visible(one.run_id)})"


def _show(found: Sequence[Listed], *, empty: str) -> None:
    import pandas as pd

    show_frame(pd.DataFrame(list(map(_row, found))), as_json=False, empty=empty)


def _row(one: Listed) -> dict[str, object]:
    """What a person is shown of it: no column that repeats another, no None."""
    night = f" (night {one.since_night:,})" if one.since_night else ""
    told = {
        "since": f"{one.since:%Y-%m-%d}{night}",
        "checked_at": _minute(one.checked_at) if one.checked_at else "",
    }
    row = {name: "" if value is None else value for name, value in one.plain().items()} | told
    return {name: value for name, value in row.items() if name != "since_night"}


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
