"""`labkit doctor`: is everything here that an experiment needs?

It contacts nobody but the server of a shared lab, and makes no lab. In one that is there it sets aside what a
run would, to see that it can.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labkit import keys, provenance, weights
from labkit.cli.output import json_option, show_json
from labkit.cli.serve import lacking
from labkit.cli.service_state import database_option
from labkit.cli.which_lab import lab_option, none_at
from labkit.errors import LabkitError, RunBusy
from labkit.lab import Lab
from labkit.paths import shown

if TYPE_CHECKING:
    from labkit.server.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, `note` (works without it) or `fault`, and what to do."""

    what: str
    state: str
    words: str


@click.command()
@json_option
@lab_option
@database_option
def doctor(as_json: bool, path: str | None, database: str | None) -> None:
    """Check versions, keys (found or missing, never shown), the lab, its disk, local models and the service.

    The exit code is 1 when something is at fault.
    """
    findings = list(examine(Lab(path), database))
    if as_json:
        show_json([finding.__dict__ for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.state:6} {finding.what:22} {finding.words}")
    sys.exit(any(finding.state == "fault" for finding in findings))


def examine(lab: Lab, database: str | None = None) -> Iterator[Finding]:
    """Look at everything, in the order a newcomer would need it. `database` is that of the lab's service."""
    yield Finding("python", "ok", f"{platform.python_version()} on {sys.platform}")
    for package in provenance.PACKAGES:
        found = provenance.collect()["packages"].get(package) if package else None
        yield Finding(package, "ok" if found else "note", found or "not installed")
    yield _lab(lab)
    yield _disk(lab.path)
    yield from _sharing(lab)
    yield from _keys(lab)
    yield from _weights()
    yield from _service(lab, database)


def _lab(lab: Lab) -> Finding:
    try:
        if not lab.store.is_there():
            folder = lab.path.absolute().parent
            if os.access(folder, os.W_OK | os.X_OK):
                return Finding("lab", "note", none_at(lab))
            words = "cannot be written" if folder.is_dir() else "does not exist"
            return Finding("lab", "fault", f"{none_at(lab)} But the folder {shown(folder)} {words}.")
        lab.store.check_writable()
    except LabkitError as error:
        return Finding("lab", "fault", str(error))
    return Finding("lab", "ok", f"{shown(lab.path)} can be written")


def _disk(path: Path) -> Finding:
    from labkit.store.journal_directory import network_file_system

    kind = network_file_system(path)
    if kind is None:
        return Finding("lab's disk", "ok", "a local file system")
    return Finding(
        "lab's disk",
        "fault",
        f"{kind} is a network file system; file locks fail or lie there. Use a local disk.",
    )


def _sharing(lab: Lab) -> Iterator[Finding]:
    told = lab.share
    if told is not None:
        yield Finding("shared lab", "note" if told.trouble or told.to_send else "ok", str(told))


def _keys(lab: Lab) -> Iterator[Finding]:
    dotenv = keys.dotenv_file()
    yield Finding(
        ".env",
        "ok" if dotenv else "note",
        f"{shown(dotenv)}; keys in the environment go first"
        if dotenv
        else "none in this folder, nor above it up to the project's root, where .git is",
    )
    frame = lab.models.frame()
    for provider, group in frame[frame["key"] != "not needed"].groupby("provider"):
        found = (group["key"] == "found").any()
        words = "found" if found else "missing: set it in the environment or in .env to use these models"
        yield Finding(f"key for {provider}", "ok" if found else "note", words)


def _weights() -> Iterator[Finding]:
    yield Finding("weights", "ok", f"kept in {shown(weights.folder())}; LABKIT_WEIGHTS names another folder")
    here = {found.name for found in weights.pulled()}
    for name in weights.REGISTRY:
        words = "pulled" if name in here else f"not here: labkit pull {name}"
        yield Finding(f"weights {name}", "ok" if name in here else "note", words)


def _service(lab: Lab, database: str | None) -> Iterator[Finding]:
    if words := lacking():
        yield Finding("service", "note", words)
        return
    from labkit.server.settings import LOCK, Settings

    settings = Settings(lab=lab.path, state=database)
    running = "not running on this lab: labkit serve starts it"
    try:
        if lab.store.is_there():
            with lab.store.drive(LOCK, called="it"):
                pass
    except RunBusy as busy:
        running = str(busy).partition(". ")[0]
    except LabkitError as error:
        running = str(error)
    yield Finding("service", "ok", running)
    yield _users(settings.database)
    yield _signing_keys(settings)


def _users(address: Path | str) -> Finding:
    what = "service's users"
    if not isinstance(address, Path):
        return Finding(what, "note", "in the database that was named; it was not contacted")
    if not address.exists():
        return Finding(what, "note", "none yet: labkit serve users add NAME")
    from labkit.server.state.database import SCHEMA

    try:
        with closing(sqlite3.connect(f"{address.absolute().as_uri()}?mode=ro", uri=True)) as state:
            (schema,) = state.execute("select version_num from alembic_version").fetchone()
            (number,) = state.execute("select count(*) from users where disabled_us is null").fetchone()
    except (sqlite3.Error, TypeError) as error:
        return Finding(what, "fault", f"{shown(address)} cannot be read: {error}")
    if schema > SCHEMA:
        return Finding(
            what, "fault", f"{shown(address)} was written by a newer labkit (schema {schema}): install that"
        )
    return Finding(what, "ok", f"{number:,} may log in; {shown(address)} has schema {schema}")


def _signing_keys(settings: Settings) -> Finding:
    from labkit.server.accounts import signing_keys

    what, file = "service's key", signing_keys.file(settings)
    in_variable = signing_keys.VARIABLE in os.environ
    if not in_variable and not file.exists():
        return Finding(what, "note", f"none yet: the first start makes {shown(file)}")
    try:
        signing_keys.found(settings)
    except (LabkitError, OSError) as error:
        return Finding(what, "fault", str(error))
    words = f"in {signing_keys.VARIABLE}" if in_variable else f"{shown(file)}, for you alone"
    return Finding(what, "ok", words)
