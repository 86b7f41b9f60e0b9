"""Where a run came from: versions, git state, notebook, host, user.

It does not know runs or the store, contacts nothing, and records no environment variables.
"""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import socket
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("labkit", "openai", "anthropic", "xllamacpp", "duckdb", "genai-prices", "pandas")


def collect(folder: Path | None = None) -> dict[str, Any]:
    """What is known about here and now, as plain JSON values.

    >>> sorted(collect())
    ['git', 'host', 'notebook', 'packages', 'platform', 'python', 'user']
    """
    return {
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
        "host": socket.gethostname(),
        "user": user(),
        "notebook": notebook(),
        "git": git_state(folder or Path.cwd()),
    }


def user() -> str | None:
    """Who runs this: `$LABKIT_USER`, else the login name, else None."""
    if named := os.environ.get("LABKIT_USER"):
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a uid that has no name
        return None


def notebook() -> str | None:
    """The notebook's file name where Jupyter, VS Code or `labkit run` tells it, else None."""
    named = os.environ.get("LABKIT_NOTEBOOK") or os.environ.get("JPY_SESSION_NAME")
    return Path(named).name if named else None


def git_state(folder: Path) -> dict[str, Any] | None:
    """`{"commit": …, "dirty": …}` of the folder's repository, or None outside one."""
    git = shutil.which("git")
    if git is None:
        return None
    words = ["status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, and git is found on PATH
            [git, "-C", str(folder), *words], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    commits = [line.rpartition(" ")[2] for line in lines if line.startswith("# branch.oid ")]
    if done.returncode != 0 or not commits or commits[0] == "(initial)":
        return None
    return {"commit": commits[0], "dirty": any(not line.startswith("#") for line in lines)}


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
