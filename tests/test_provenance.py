"""labkit.provenance: where a run came from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labkit import provenance


def _git(folder: Path, *words: str) -> None:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
    subprocess.run(command, check=True, capture_output=True)


def test_git_state_tells_the_commit_and_whether_it_is_dirty(here: Path) -> None:
    """A clean checkout has its commit; a changed file makes it dirty; outside a repository there is none."""
    assert provenance.git_state(here) is None
    _git(here, "init", "-q")
    (here / "a.txt").write_text("1")
    _git(here, "add", ".")
    _git(here, "commit", "-qm", "first")
    clean = provenance.git_state(here)
    assert clean is not None
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (here / "a.txt").write_text("2")
    assert provenance.git_state(here) == {"commit": clean["commit"], "dirty": True}


def test_the_notebook_is_a_name_and_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Jupyter says of the session becomes the file's name alone."""
    monkeypatch.delenv("LABKIT_NOTEBOOK", raising=False)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "study.ipynb"))
    assert provenance.notebook() == "study.ipynb"


def test_the_user_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`$LABKIT_USER` goes before the login name."""
    monkeypatch.setenv("LABKIT_USER", "ada")
    assert provenance.user() == "ada"


def test_nothing_of_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    """A value set in the environment appears nowhere in what is collected."""
    monkeypatch.setenv("SOME_SETTING", "canary-0123456789")
    assert "canary" not in repr(provenance.collect(here))
