"""Processes that serve real weights: their life, their end, and what they keep to themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labkit import weights
from labkit.errors import ConnectionFailed, WeightsError
from labkit.providers import servers
from labkit.providers.servers import Settings

pytestmark = pytest.mark.alone

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def smollm() -> Path:
    """The real SmolLM2."""
    return weights.pull("smollm2-135m")


@pytest.fixture
def settings(smollm: Path) -> Iterator[Settings]:
    """One slot with a small context; every server a test leaves is ended."""
    yield Settings(path=smollm, sha256="0" * 64, name="smol", chat_template=None, context_tokens=256, slots=1)
    servers.close()


def until(true: Callable[[], bool]) -> bool:
    """Wait until `true()`, for a bounded time."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def is_running(pid: int) -> bool:
    """Whether a process lives (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_equal_settings_share_a_server(settings: Settings) -> None:
    """Two users of equal settings have one process, which the last of them ends."""
    one, two = servers.take(settings), servers.take(replace(settings))
    pid = one.pid
    assert one is two
    assert pid is not None
    servers.release(one)
    assert two.alive
    servers.release(two)
    assert not two.alive
    assert not is_running(pid)


def test_other_settings_have_another(settings: Settings) -> None:
    """Two servers run side by side where anything in their settings differs."""
    one, two = servers.take(settings), servers.take(replace(settings, context_tokens=512))
    assert one.alive
    assert two.alive
    assert one.url != two.url


def test_close_ends_all(settings: Settings) -> None:
    """`close` ends what still runs, and a later `take` starts anew."""
    one = servers.take(settings)
    servers.close()
    assert not one.alive
    two = servers.take(settings)
    assert two is not one
    assert two.alive


def test_nobody_else_may_ask(settings: Settings) -> None:
    """A request without the server's own key is refused."""
    server = servers.take(settings)
    request = urllib.request.Request(
        f"{server.url}/v1/chat/completions", b"{}", {"authorization": "Bearer x"}
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request)


def test_it_listens_on_this_machine_only(settings: Settings) -> None:
    """The server's one listening socket is bound to the loopback address."""
    server = servers.take(settings)
    port = f"{int(server.url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [line[1] for line in lines if line[3] == "0A" and line[1].endswith(f":{port}")]
    assert listening == [f"0100007F:{port}"]


def test_the_key_is_not_shown(settings: Settings) -> None:
    """The key stands in no repr, and not among the arguments that every user of the machine can read."""
    server = servers.take(settings)
    secret = server.key.reveal()
    assert secret not in repr(server)
    assert secret not in repr(vars(server))
    assert secret.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_it_says_nothing(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither starting, nor refusing, nor failing to start, nor ending writes to this process's output."""
    server = servers.take(settings)
    with pytest.raises(ConnectionFailed):
        server.post("/v1/chat/completions/input_tokens", {"messages": 5})
    with pytest.raises(WeightsError):
        servers.take(replace(settings, chat_template="{% for %}"))
    servers.release(server)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_model_is_an_error(settings: Settings, tmp_path: Path) -> None:
    """A text file, an empty one and a cut model are refused with llama.cpp's reason, and leave no process."""
    (tmp_path / "text.gguf").write_text("hello")
    (tmp_path / "empty.gguf").write_bytes(b"")
    (tmp_path / "cut.gguf").write_bytes(settings.path.read_bytes()[:5_000_000])
    for name, why in (("text", "magic"), ("empty", "load"), ("cut", "load")):
        with pytest.raises(WeightsError, match=rf"cannot be served from .*{name}\.gguf: .*{why}"):
            servers.take(replace(settings, path=tmp_path / f"{name}.gguf"))
    assert servers._running == {}


def test_a_template_that_cannot_be_read_is_an_error(settings: Settings) -> None:
    """A chat template with a mistake is named as the reason."""
    with pytest.raises(WeightsError, match="template"):
        servers.take(replace(settings, chat_template="{% for %}"))


def test_ctrl_c_does_not_reach_it(settings: Settings) -> None:
    """An interrupt sent to it is ignored, and it is not in the group that a terminal's Ctrl-C goes to."""
    server = servers.take(settings)
    assert server.pid is not None
    assert os.getpgid(server.pid) != os.getpgid(0)
    os.kill(server.pid, signal.SIGINT)
    assert server.post("/v1/chat/completions/input_tokens", {"messages": [{"role": "user", "content": "hi"}]})
    assert server.alive


def test_a_killed_server_starts_anew_at_its_place(settings: Settings) -> None:
    """After a kill it is not alive, answers nobody, and can be started again at the same address."""
    server = servers.take(settings)
    url, pid = server.url, server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not server.alive)
    with pytest.raises(ConnectionFailed, match="smol gave no answer"):
        server.post("/v1/chat/completions/input_tokens", {"messages": []})
    server.start()
    assert server.alive
    assert server.url == url


def test_it_does_not_outlive_its_process(settings: Settings) -> None:
    """A kernel that is killed without warning takes its servers with it."""
    program = (
        "import sys; from pathlib import Path; from labkit.providers import servers as s\n"
        "server = s.take(s.Settings(path=Path(sys.argv[1]), sha256='', name='m', chat_template=None,"
        " context_tokens=64, slots=1))\n"
        "print(server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(settings.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as kernel:
        assert kernel.stdout is not None
        pid = int(kernel.stdout.readline())
        assert is_running(pid)
        kernel.kill()
    assert until(lambda: not is_running(pid))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_leaves_it_alone(settings: Settings) -> None:
    """A forked child that ends as Python ends does not end its parent's server."""
    server = servers.take(settings)
    child = os.fork()
    if child == 0:
        servers.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert server.alive


def test_threads_fit_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few cores are all used to read, many by half; one less answers, and never none."""
    for cores, wanted in ((1, (1, 1)), (2, (2, 1)), (4, (4, 3)), (6, (4, 3)), (16, (8, 7))):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=cores: set(range(n)), raising=False)
        assert servers.threads() == wanted
