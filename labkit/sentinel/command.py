"""Gives a text to a program on its input: `mail`, or a script of one's own.

No shell is started, and of the environment the program gets what finds its way and its language: no variable
that could hold a key. It does not know what the text says.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from labkit.keys import scrub
from labkit.sentinel.environment_keys import environment_keys
from labkit.visible import visible

LIMIT_S = 30.0
_LAST_WORDS_S = 1.0
"""So long the end of its error output is waited for once it has ended: a child of it may hold that open."""
_TAIL_BYTES = 4096
_PASSED = re.compile(
    r"PATH|HOME|PWD|SHELL|USER|USERNAME|LOGNAME|HOSTNAME|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|TEMP|TMP"
    r"|EMAIL|REPLYTO|MAIL|MAILRC|DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|XDG_\w+"
    r"|PYTHONPATH|VIRTUAL_ENV|CONDA_PREFIX|LD_LIBRARY_PATH|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE"
    r"|(?:HTTPS|HTTP|ALL|NO)_PROXY|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|USERPROFILE|(?:LOCAL)?APPDATA",
    re.IGNORECASE,
)
"""All others stay here: a model may name any of them for its key."""
_ADDRESS = re.compile(r"\S+://\S+")


def faults(command: Sequence[str], *, environment: Mapping[str, str]) -> list[str]:
    """What is wrong with a command, before it is started.

    >>> faults("mail ada@example.org", environment={})
    ['The command is one text; give a list of its words: ["mail", "-s", "labkit", "ada@example.org"].']
    """
    if isinstance(command, str | bytes):
        words = '["mail", "-s", "labkit", "ada@example.org"]'
        return [f"The command is one text; give a list of its words: {words}."]
    if not isinstance(command, Sequence) or not all(isinstance(word, str) for word in command):
        return [f"The command is {type(command).__name__} and not a list of texts."]
    if not command or not command[0].strip():
        return ["The command names no program."]
    called = _called(command)
    if any("\0" in word for word in command):
        return [f"{called} has a word with a null character."]
    if _program(command, environment) is None:
        there = os.path.dirname(command[0]) and os.path.exists(command[0])
        why = "cannot be run: make it executable" if there else "is not found: install it, or give its path"
        return [f"{called} {why}."]
    return []


def run(command: Sequence[str], text: str, *, environment: Mapping[str, str]) -> str | None:
    """Start the program with `text` on its input, as UTF-8; why it failed, or None.

    One that takes more than 30 s is ended, with what it started. One that reads nothing and ends well counts
    as success: whether it wanted the text cannot be seen.
    """
    if found := faults(command, environment=environment):
        return " ".join(found)
    called = _called(command)
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own program, and no shell
            [*command],
            executable=_program(command, environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={name: value for name, value in environment.items() if _is_passed(name)},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        return f"{called} cannot be started: {why}."
    assert process.stdin is not None
    assert process.stderr is not None
    said = bytearray()
    # In threads: a program may read nothing, or write without end.
    reader = threading.Thread(target=_keep_tail, args=(process.stderr, said), daemon=True)
    reader.start()
    threading.Thread(target=_feed, args=(process.stdin, text), daemon=True).start()
    try:
        code = process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"{called} did not end within {LIMIT_S:g} s, and was ended."
    except BaseException:
        _end(process)
        raise
    if code == 0:
        return None
    reader.join(_LAST_WORDS_S)
    words = _last_line(bytes(said), environment)
    how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
    return f"{called} {how}{words and f': “{words}”'}."


def _called(command: Sequence[str]) -> str:
    # Its other words may hold a password.
    return f"The command “{visible(command[0], limit=80)}”"


def _program(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    return shutil.which(command[0], path=environment.get("PATH"))


def _is_passed(name: str) -> bool:
    return _PASSED.fullmatch(name) is not None


def _feed(stream: IO[bytes], text: str) -> None:
    # What has stopped to read has its reasons; its exit code tells.
    with suppress(OSError, ValueError), stream:
        stream.write(text.encode("utf-8", "replace"))


def _keep_tail(stream: IO[bytes], said: bytearray) -> None:
    with suppress(OSError, ValueError), stream:
        while piece := os.read(stream.fileno(), 1 << 16):
            said += piece
            del said[:-_TAIL_BYTES]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, as far as that is still of its group."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _last_line(said: bytes, environment: Mapping[str, str]) -> str:
    """What it last complained about, without addresses and keys."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return ""
    said_last = _ADDRESS.sub("<address>", lines[-1])
    return visible(scrub(said_last, environment_keys(environment)), limit=200)
