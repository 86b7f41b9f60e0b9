"""labkit.sentinel.command: a text goes into real processes, which may do anything."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from labkit.sentinel import command as command_channel
from labkit.sentinel.channels import Delivery, channel_faults, deliver

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

TEXT = "Worse by 4 to 13 points – “nightly” ✗\nsecond line\n"
KEY = "sk-proj-0123456789abcdefABCDEF"
PLACES = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


def told(words: list[str], text: str = TEXT, **environment: str) -> str | None:
    """What is said of a text that goes to one command."""
    (one,) = deliver(text, command=words, environment={**PLACES, **environment})
    assert one.channel == "command"
    return one.error


def python(code: str, *words: str) -> list[str]:
    """A program of one line."""
    return [sys.executable, "-c", code, *words]


def test_the_text_is_what_a_command_reads(tmp_path):
    """A command gets the text on its input, byte by byte and with its last line ended, and its words as they
    are: no shell reads them."""
    place = tmp_path / "a $(b); c"
    code = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    command = python(code, str(place))
    assert deliver(TEXT, command=tuple(command), environment=PLACES) == [Delivery("command", None)]
    assert place.read_bytes() == f"{TEXT}\n".encode()


def test_a_text_larger_than_a_pipe_arrives(tmp_path):
    """A long text is read to its end, and half a surrogate pair in it is replaced."""
    code = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    assert told(python(code, str(tmp_path / "got")), "ä\ud800" * 300_000) is None
    assert (tmp_path / "got").read_bytes() == ("ä?" * 300_000 + "\n").encode()


def test_no_variable_that_may_hold_a_key_reaches_a_command(tmp_path):
    """A command sees its way, its home and its language; keys and addresses stay with labkit."""
    code = "import os, sys, json; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    kept = {"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8", "LC_TIME": "C", "TZ": "UTC", "MAILRC": "/dev/null"}
    withheld = {
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
        "MY_LLM": KEY,
        "OPENAI_CUSTOM_HEADERS": f"X: {KEY}",
        "LABKIT_HEARTBEAT": "https://hc-ping.com/T0HIDDEN",
        "LABKIT_SERVE_KEY": KEY,
        "AWS_SESSION_TOKEN": KEY,
        "PATHS": KEY,
    }
    assert told(python(code, str(tmp_path / "got")), **kept, **withheld) is None
    got = json.loads((tmp_path / "got").read_text())
    assert kept.items() <= got.items()
    assert PLACES.items() <= got.items()
    assert not withheld.keys() & got.keys()
    assert KEY not in json.dumps(got)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit(3)", "ended with exit code 3."),
        (
            "import sys; sys.stderr.write('first\\nlast\\n\\n'); sys.exit(75)",
            "ended with exit code 75: “last”.",
        ),
        (
            "import sys; sys.stderr.write('a\\x1b[31mb\\r'); sys.exit(1)",
            "ended with exit code 1: “a⟨1B⟩[31mb”.",
        ),
        ("import os; os.write(2, b'\\xff\\xfe'); os._exit(1)", "ended with exit code 1: “��”."),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "was ended by signal 15."),
        ("import sys; print('x' * 10_000_000); sys.exit('y' * 10_000_000)", "ended with exit code 1: “yyy"),
    ],
)
def test_a_command_that_fails_is_told_with_its_last_words(code, why):
    """Any exit code but 0 is an error, with the last line of what it complained about, made safe."""
    error = told(python(code))
    assert error is not None
    assert error.startswith(f"The command “{sys.executable}” ")
    assert why in error
    assert len(error) < 400


def test_last_words_hold_no_key_and_no_address():
    """What a command complains about is shown without the keys, the webhook and any address."""
    hook = "https://hooks.slack.com/services/T0HIDDEN/B0HIDDEN"
    code = "import sys; sys.exit(' '.join(sys.argv[1:]))"
    words = [KEY, "my-own-secret-word-1", hook, hook.partition("com")[2]]
    keys = {"OPENAI_API_KEY": KEY, "MY_TOKEN": "my-own-secret-word-1", "EMPTY_KEY": "", "ODD_KEY": "a b"}
    (_, one) = deliver(
        TEXT,
        command=python(code, *words),
        environment={**PLACES, **keys, "LABKIT_WEBHOOK": hook.replace("https", "ftp")},
    )
    assert one.error is not None
    assert "[key] [key] <address> " in one.error
    for piece in (KEY, "secret-word", "T0HIDDEN", "B0HIDDEN"):
        assert piece not in repr(one)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.close(0)",
        "pass",
        "import os; os.close(0); os.close(1); os.close(2)",
        "import sys; sys.stdin.read(1)",
        "print('x' * 50_000_000)",
        "import sys; sys.stderr.write('x' * 50_000_000)",
    ],
)
def test_a_command_that_ends_well_has_taken_the_text(code):
    """A command that reads nothing, closes its input at once or writes a lot is judged by its exit code."""
    assert told(python(code), TEXT * 100_000) is None


def test_a_command_that_hangs_is_ended_with_its_children(monkeypatch, tmp_path):
    """After its time a command is killed, and so is what it started: nobody holds its lock any longer."""
    monkeypatch.setattr(command_channel, "LIMIT_S", 1.0)
    lock = tmp_path / "lock"
    code = """
import fcntl, subprocess, sys, time
held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)
subprocess.Popen(["sleep", "600"], pass_fds=[held.fileno()])
open(sys.argv[1] + ".begun", "w").close()
time.sleep(600)
"""
    error = told(python(code, str(lock)))
    assert error == f"The command “{sys.executable}” did not end within 1 s, and was ended."
    assert (tmp_path / "lock.begun").exists()
    with lock.open() as free:
        for _ in range(1000):
            with suppress(BlockingIOError):
                fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            threading.Event().wait(0.02)
    raise AssertionError("what the command started still runs")


def test_a_child_left_behind_holds_nothing_up():
    """A command that fails is told although what it left behind keeps its output open."""
    code = "import subprocess, sys; subprocess.Popen(['sleep', '3']); sys.stderr.write('queued'); sys.exit(2)"
    assert told(python(code)) == f"The command “{sys.executable}” ended with exit code 2: “queued”."


def script(place: Path, text: str, mode: int = 0o755) -> str:
    place.write_text(text)
    place.chmod(mode)
    return str(place)


def test_a_script_of_ones_own_is_found(tmp_path):
    """A script is found by its path and on PATH."""
    path = script(tmp_path / "tell", f'#!/bin/sh\ncat > "{tmp_path}/got"\n')
    assert told([path]) is None
    assert (tmp_path / "got").read_text() == f"{TEXT}\n"
    assert told(["tell"], "again", PATH=f"{tmp_path}:{PLACES['PATH']}") is None
    assert (tmp_path / "got").read_text() == "again\n"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("mail ada@example.org", "is one text; give a list"),
        (b"mail", "is one text; give a list"),
        ([], "names no program"),
        ([" "], "names no program"),
        ([1, 2], "not a list of texts"),
        (7, "is int and not a list of texts"),
        (["mail-that-is-not-here", "-p", "T0HIDDEN"], "“mail-that-is-not-here” is not found"),
        (["/nowhere/mail", "T0HIDDEN"], "“/nowhere/mail” is not found"),
        (["/"], "“/” cannot be run"),
        (["\x1b[31m"], "“⟨1B⟩[31m” is not found"),
        (["true", "T0HIDDEN\0"], "has a word with a null character"),
        (["true\0"], "has a word with a null character"),
    ],
)
def test_a_command_that_cannot_be_is_told_before(command, why):
    """What is wrong with a command is said before anything runs, and again when it is to be used."""
    (fault,) = channel_faults(command, PLACES)
    assert why in fault
    assert "T0HIDDEN" not in fault
    assert deliver(TEXT, command=command, environment=PLACES) == [Delivery("command", fault)]


def test_a_file_that_cannot_be_run_is_told(tmp_path):
    """A script without the right to run, or that no system can read, is an error in words."""
    plain = script(tmp_path / "plain", "#!/bin/sh\n", 0o644)
    assert stat.S_IMODE(os.stat(plain).st_mode) == 0o644
    assert told([plain]) == f"The command “{plain}” cannot be run: make it executable."
    assert channel_faults([plain], PLACES) == [told([plain])]
    lost = script(tmp_path / "lost", "#!/nowhere/interpreter\n")
    assert told([lost]) == f"The command “{lost}” cannot be started: No such file or directory."
    garbage = script(tmp_path / "garbage", "\x7fELF")
    assert str(told([garbage])).startswith(f"The command “{garbage}” cannot be started: Exec format error")


def test_nothing_stays_open_behind_a_command():
    """After many commands no thread and no file is left."""
    assert told(["true"]) is None
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        assert told(["true"]) is None
        assert told(["false"]) is not None
    for one in threading.enumerate():
        if "_keep_tail" in one.name or "_feed" in one.name:
            one.join()
    assert not before or len(os.listdir("/proc/self/fd")) <= before
