"""A path somebody wrote down: is it a plain file, and what is in it?

Prompts, datasets, catalogs and weights come from files a person names, so the same few things go
wrong everywhere: a typing error, a folder, a pipe that never ends, a device, a file under `/proc`.
Each is refused with the name of what was meant and of the files that lie near it.
This module knows nothing of formats, and reads nothing but the one file it is given.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
from pathlib import Path

from labkit.errors import DefinitionError
from labkit.nearest import by_likeness

_LONGEST = 200
_UNREAL = ("/proc/", "/sys/", "/dev/")


def as_path(path: str | os.PathLike[str], *, what: str) -> Path:
    """`path` as a `Path`. Raises `DefinitionError` for what no file can be called by: no text, a NUL, half
    a character.

    >>> as_path(3, what="copy")
    Traceback (most recent call last):
    labkit.errors.DefinitionError: The copy is int, no path. Give a text or a Path.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str):
        raise DefinitionError(f"The {what} is {type(text).__name__}, no path. Give a text or a Path.")
    why = "a NUL character" if "\0" in text else "" if _can_be_named(text) else "half a character"
    if why:
        raise DefinitionError(
            f"The {what} {_short(text)} is no path: it holds {why}. Give the path of a file here."
        )
    return Path(text)


def at_home(path: Path, *, what: str) -> Path:
    """`path` with `~` as the home folder and `~user` as that user's. Raises `DefinitionError` where there is
    none.

    >>> at_home(Path("~no-such/x"), what="lab")
    Traceback (most recent call last):
    labkit.errors.DefinitionError: The lab '~no-such/x' is in no home folder there is. Give its whole path.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise DefinitionError(
            f"The {what} {_short(str(path))} is in no home folder there is. Give its whole path."
        ) from None


def user_cache() -> Path:
    """labkit's folder in the platform's place for a user's cache. It need not exist yet."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "labkit"


def _can_be_named(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def plain_file(path: str | os.PathLike[str], *, what: str) -> Path:
    """`path` with `~` expanded, if it is a regular file that may be read.

    `what` names the thing in messages ("dataset", "prompt file"). Raises `DefinitionError` for
    anything else, links are followed first.
    """
    given = as_path(path, what=what)
    text = os.fspath(path)
    shown = _short(text)
    if "://" in text:
        raise DefinitionError(
            f"The {what} {shown} is no path: it holds a web address. Give the path of a file here."
        )
    found = at_home(given, what=what)
    try:
        real = found.resolve()
        mode = real.stat().st_mode
    except FileNotFoundError:
        raise DefinitionError(f"There is no {what} {shown}. {_nearby(found)}") from None
    except (OSError, RuntimeError) as error:
        raise DefinitionError(f"The {what} {shown} cannot be reached: {_reason(error)}.") from None
    if str(real).startswith(_UNREAL) or not stat.S_ISREG(mode):
        raise DefinitionError(
            f"The {what} {shown} is {_kind(real, mode)}, not a plain file. {_nearby(found)}"
        )
    if not os.access(real, os.R_OK):
        raise DefinitionError(f"The {what} {shown} may not be read by you. Change its permissions.")
    return found


def shown(path: str | os.PathLike[str]) -> str:
    """`path` for a message: from the working folder if it lies in it, else with `~` for the home folder.

    Messages are copied into reports and questions; where a person's folders lie is nobody's business.
    """
    given = Path(path)
    for root, front in ((Path.cwd(), ""), (Path.home(), "~")):
        if given.is_absolute() and given.is_relative_to(root):
            given = Path(front) / given.relative_to(root)
            break
    # A name that is no UTF-8 could not be printed.
    text = str(given).encode(errors="backslashreplace").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def read_bytes(path: str | os.PathLike[str], *, what: str, limit_bytes: int) -> bytes:
    """The bytes of the plain file `path`; more than `limit_bytes` is a `DefinitionError`."""
    found = plain_file(path, what=what)
    try:
        # A pipe put in the file's place since the check must not block the opening.
        descriptor = os.open(found, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise DefinitionError(f"The {what} {str(found)!r} is no longer a plain file.")
            if status.st_size > limit_bytes:
                raise DefinitionError(
                    f"The {what} {str(found)!r} has {status.st_size / 1e6:,.0f} MB; "
                    f"at most {limit_bytes / 1e6:,.0f} MB are read."
                )
            return file.read()
    except OSError as error:
        raise DefinitionError(f"The {what} {str(found)!r} cannot be read: {_reason(error)}.") from None


def read_text(path: str | os.PathLike[str], *, what: str, limit_bytes: int) -> str:
    """The text of the plain file `path`: UTF-8, with or without a byte order mark, lines ended by `\\n`.

    Raises `DefinitionError` naming the line and the byte where it is not UTF-8.
    """
    data = read_bytes(path, what=what, limit_bytes=limit_bytes)
    return decode(data, what=f"{what} {os.fspath(path)!r}").replace("\r\n", "\n").replace("\r", "\n")


def decode(data: bytes, *, what: str) -> str:
    """`data` as UTF-8 without its byte order mark; a `DefinitionError` names the first wrong byte.

    So it does where half of the text would be NUL: that is UTF-16 or UTF-32 without a mark.
    """
    wide = _wide(data)
    if wide:
        raise DefinitionError(f"The {what} is not UTF-8 but seems to be {wide}. Save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        skipped = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        at = error.start + skipped
        line = data.count(b"\n", 0, at) + 1
        raise DefinitionError(
            f"The {what} is not UTF-8: byte 0x{data[at]:02x} at offset {at:,}, line {line:,}. "
            "It may be Latin-1, Windows-1252 or another old encoding; save it as UTF-8."
        ) from None


def _wide(data: bytes) -> str | None:
    """The encoding of two or four bytes a character, by its mark or by its NULs."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    begin = data[:1000]
    share = begin.count(0) / len(begin) if len(begin) >= 8 else 0
    return "UTF-32" if share > 0.6 else "UTF-16" if share > 0.3 else None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _kind(real: Path, mode: int) -> str:
    if str(real).startswith(_UNREAL):
        return "part of the system"
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
    return next((name for test, name in kinds.items() if test(mode)), "a device")


def _nearby(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return f"There is no folder {str(folder)!r} either."
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())[:1000]
    except OSError:
        return "Its folder cannot be listed."
    near = by_likeness(path.name, names)[:3]
    return f"Near it: {', '.join(near)}." if near else f"The folder {str(folder)!r} holds no files."
