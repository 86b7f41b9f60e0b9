"""Which kernel runs a notebook: its own where that is here, else this environment's for its language.

It reads the notebook's metadata and Jupyter's list of kernels; it starts nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import DefinitionError, MissingPackage

PYTHON = "python3"
"""The name under which Jupyter has the kernel of the Python that runs it."""
_OWN = ("python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}")
"""Programs in whose place Jupyter starts the Python that runs it, wherever that is."""


@dataclass(frozen=True)
class Kernel:
    """A kernel by its name, its language, and what is to be said about the choice, if anything."""

    name: str
    language: str
    note: str | None = None

    @property
    def is_python(self) -> bool:
        return self.language.lower() in ("python", "python3", "ipython")


def read(path: Path) -> Any:
    """The notebook at `path`, in today's form and with what other programs leave out of it. Raises
    `DefinitionError` for what is none."""
    try:
        import nbformat
    except ImportError:
        raise MissingPackage("Notebooks need papermill: pip install 'labkit[notebook]'") from None
    from jsonschema import ValidationError
    from nbformat.validator import normalize

    try:
        with warnings.catch_warnings(action="ignore"):
            written = _filled_in(json.loads(path.read_text(encoding="utf-8-sig")))
            book = nbformat.convert(nbformat.reader.reads(json.dumps(written)), 4)
            book = nbformat.from_dict(nbformat.v4.upgrade(book))
            _, book = normalize(book, relax_add_props=True, strip_invalid_metadata=True)
            nbformat.validate(book, relax_add_props=True)
    except (ValidationError, nbformat.ValidationError) as error:
        fault = f"it is no whole notebook ({error.message:.200})"
    except UnicodeDecodeError:
        fault = "it is not UTF-8 text"
    except OSError as error:
        fault = f"it cannot be read ({error.strerror})"
    except Exception:  # noqa: BLE001 - nbformat lets through whatever a strange file makes it raise
        fault = "it is no JSON of a notebook, or torn"
    else:
        return book
    raise DefinitionError(f"{path.name} cannot be run: {fault}. Open it in Jupyter and save it again.")


def _filled_in(written: Any) -> Any:
    """The notebook's JSON with what it takes to be one, where Jupyter itself would do without."""
    metadata = written.setdefault("metadata", {})
    for part, needed in (("kernelspec", ("name", "display_name")), ("language_info", ("name",))):
        if isinstance(metadata.get(part), dict):
            metadata[part] = dict.fromkeys(needed, "") | metadata[part]
    for cell in written.get("cells", ()):  # where the older forms have none
        cell.setdefault("metadata", {})
        if not re.fullmatch(r"[\w-]{1,64}", str(cell.get("id")), re.ASCII):
            cell.pop("id", None)
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}  # they are about to be new
    return written


def choose(book: Any, *, wanted: str | None, file: str) -> Kernel:
    """The kernel that runs the notebook; `wanted` goes before its own.

    Raises `DefinitionError`, naming the kernels there are, where none of its language is here.
    """
    here = _installed()
    named = book.metadata.get("kernelspec") or {}
    language = str(
        (book.metadata.get("language_info") or {}).get("name") or named.get("language") or "python"
    )
    there = f"There are: {', '.join(sorted(here))}." if here else "None is here: pip install ipykernel."
    if wanted is not None:
        if wanted not in here:
            raise DefinitionError(f"There is no kernel {wanted!r} here. {there}")
        return Kernel(wanted, here[wanted])
    own = str(named.get("name") or "")
    if own in here:
        return Kernel(own, here[own])
    if Kernel(PYTHON, language).is_python and PYTHON in here:
        note = f"{file} names the kernel {own!r}, which is not here; " if own else f"{file} names no kernel; "
        return Kernel(PYTHON, "python", note + "this environment's Python runs it. Another: --kernel NAME.")
    raise DefinitionError(
        f"{file} needs the kernel {own!r} for {language}, which is not here. Install it, "
        f"or name another by --kernel. {there}"
    )


def _installed() -> dict[str, str]:
    """The kernels whose program is here, by name, with their languages."""
    from jupyter_client.kernelspec import KernelSpecManager

    manager = KernelSpecManager()
    found: dict[str, str] = {}
    for name in manager.find_kernel_specs():
        with contextlib.suppress(Exception):  # a spec that cannot be read is a kernel that is not here
            spec = manager.get_kernel_spec(name)
            # What an environment left behind when it was deleted still stands in the list. Jupyter's own is
            # here also where no PATH leads to it, as under cron.
            if spec.argv and (spec.argv[0] in _OWN or shutil.which(spec.argv[0])):
                found[name] = spec.language or "python"
    return found
