"""Which kernel runs a notebook: its own where that is here, else this environment's for its language.

It reads the notebook's metadata and Jupyter's list of kernels; it starts nothing.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import DefinitionError, MissingPackage

PYTHON = "python3"
"""The name under which Jupyter has the kernel of the Python that runs it."""


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
    """The notebook at `path`, in today's form. Raises `DefinitionError` for what is none."""
    try:
        import nbformat
    except ImportError:
        raise MissingPackage("Notebooks need papermill: pip install 'labkit[notebook]'") from None
    from jsonschema import ValidationError

    try:
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
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


def choose(book: Any, *, wanted: str | None, file: str) -> Kernel:
    """The kernel that runs the notebook; `wanted` goes before its own.

    Raises `DefinitionError`, naming the kernels there are, where none of its language is here.
    """
    here = _installed()
    named = book.metadata.get("kernelspec") or {}
    language = str(
        (book.metadata.get("language_info") or {}).get("name") or named.get("language") or "python"
    )
    there = ", ".join(sorted(here)) or "none: pip install ipykernel"
    if wanted is not None:
        if wanted not in here:
            raise DefinitionError(f"There is no kernel {wanted!r} here. There are: {there}.")
        return Kernel(wanted, here[wanted])
    own = str(named.get("name") or "")
    if own in here:
        return Kernel(own, here[own])
    if Kernel(PYTHON, language).is_python and PYTHON in here:
        note = f"{file} names the kernel {own!r}, which is not here; " if own else f"{file} names no kernel; "
        return Kernel(PYTHON, "python", note + "this environment's Python runs it. Another: --kernel NAME.")
    raise DefinitionError(
        f"{file} needs the kernel {own!r} for {language}, which is not here. Install it, "
        f"or name one of these by --kernel: {there}."
    )


def _installed() -> dict[str, str]:
    """The kernels whose program is here, by name, with their languages."""
    from jupyter_client.kernelspec import KernelSpecManager

    manager = KernelSpecManager()
    found: dict[str, str] = {}
    for name in manager.find_kernel_specs():
        with contextlib.suppress(Exception):  # a spec that cannot be read is a kernel that is not here
            spec = manager.get_kernel_spec(name)
            # What an environment left behind when it was deleted still stands in the list.
            if spec.argv and shutil.which(spec.argv[0]):
                found[name] = spec.language or "python"
    return found
