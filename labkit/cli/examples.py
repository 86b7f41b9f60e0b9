"""The notebooks and data that come with labkit: within the package, or beside it in a clone.

They are put into a folder file by file, and what stands there already is left as it is: it may be somebody's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from labkit.errors import DefinitionError
from labkit.paths import shown

QUICKSTART = "01_quickstart.ipynb"
PARTS = ("notebooks", "data")
_PACKAGE = Path(__file__).parents[1]


def shipped() -> Path:
    """The folder that holds `notebooks` and `data`. Raises `DefinitionError` where there is none."""
    for place in (_PACKAGE / "examples", _PACKAGE.parent):
        if (place / "notebooks" / QUICKSTART).is_file():
            return place
    raise DefinitionError("labkit was installed without its notebooks. Install it anew: pip install labkit")


def put(source: Path, target: Path) -> None:
    """Copy a file, or a folder's files, to where there is none yet. Raises `DefinitionError`."""
    try:
        if source.is_dir():
            for file in sorted(source.iterdir()):
                if not file.name.startswith(".") and file.name != "__pycache__":
                    put(file, target / file.name)
        elif not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            # Half a file, from a disk that was full, would be taken for somebody's at the next try.
            part = target.with_name(f"{target.name}.part")
            shutil.copyfile(source, part)
            part.rename(target)
    except OSError as error:
        raise DefinitionError(
            f"{shown(target)} cannot be written: {error.strerror}. Choose another folder."
        ) from None
