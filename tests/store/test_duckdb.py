"""The pinned DuckDB itself: what labkit relies on, proved for the version that is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
SEED = """
import duckdb, sys
duckdb.connect(sys.argv[1]).execute("create table t as select 'seed' as who, i from range(1000) x(i)").close()
"""
LATE = """
import duckdb, sys
print("opening", flush=True)
connection = duckdb.connect(sys.argv[1])
connection.execute("insert into t values ('late', 1)")
connection.close()
"""
MEANWHILE = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("insert into t select 'meanwhile', i from range(500) x(i)")
connection.close()
print("committed")
"""
DELAY_US = 4_000_000


def test_the_installed_version_is_one_that_was_proved() -> None:
    """The pin is `>=1.5.5,<2` (2.0.0 loses other processes' commits), and what is installed obeys it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pin,) = (Requirement(text) for text in project["dependencies"] if text.startswith("duckdb"))
    assert Version(duckdb.__version__) in pin.specifier
    assert Version("2.0.0") not in pin.specifier


@pytest.mark.alone
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_no_version_that_reads_before_it_locks(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    """A process that is held up while it opens the file does not undo what another commits meanwhile."""
    path = tmp_path / "lab.duckdb"
    subprocess.run([sys.executable, "-c", SEED, str(path)], check=True)
    delay = f"inject=fcntl:delay_enter={DELAY_US}:when=1"
    late = subprocess.Popen(
        [
            "strace",
            "-f",
            "-o",
            "/dev/null",
            "-P",
            str(path),
            "-e",
            "trace=fcntl",
            "-e",
            delay,
            sys.executable,
            "-c",
            LATE,
            str(path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert late.stdout is not None
    if late.stdout.readline() != "opening\n":
        pytest.skip("strace may not trace here")
    meanwhile, refused = python(MEANWHILE, path).communicate(timeout=60)
    assert late.wait(60) == 0
    if not meanwhile:
        pytest.skip(f"the machine was too busy to commit within the delay: {refused[-200:]}")
    with duckdb.connect(str(path)) as plain:
        rows = dict(plain.sql("select who, count(*) from t group by 1").fetchall())
    assert rows == {"seed": 1000, "meanwhile": 500, "late": 1}


def test_a_connection_of_another_process_is_refused_with_its_name(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    """The words by which labkit knows who holds a file are those DuckDB uses."""
    path = tmp_path / "lab.duckdb"
    with duckdb.connect(str(path)):
        _, err = python("import duckdb, sys; duckdb.connect(sys.argv[1])", path).communicate(timeout=60)
    assert "Could not set lock on file" in err
    assert "Conflicting lock is held in" in err
    with (
        duckdb.connect(str(path)),
        pytest.raises(duckdb.ConnectionException, match="different configuration"),
    ):
        duckdb.connect(str(path), read_only=True)


def test_the_number_of_connections_is_told(tmp_path: Path) -> None:
    """`duckdb_connection_count()` tells an opening of our own from one that joins another's."""
    from labkit.store.journal_cleanup import opened_afresh

    path = str(tmp_path / "lab.duckdb")
    with duckdb.connect(path) as first:
        assert opened_afresh(first)
        with duckdb.connect(path) as second:
            assert not opened_afresh(second)
        assert opened_afresh(first)
