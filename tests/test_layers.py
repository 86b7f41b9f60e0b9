"""The house: floors, sizes, and what must not be in it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "labkit"
MODULES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN = {"pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal", "nest_asyncio", "litellm"}


def test_floors_import_downwards_only() -> None:
    """import-linter's contract holds, exhaustively."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    """S16, S24: no module imports a pickler, calls eval or exec, or loads YAML unsafely."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {name.name.partition(".")[0] for name in node.names} & FORBIDDEN
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in FORBIDDEN
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile"}
