"""Files from the Hub: the real `huggingface_hub` against a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import MissingPackage, WeightsError
from labkit.weights import find, hub, pull, pulled
from labkit.weights.folder import is_name

COMMIT = "a" * 40
REPO = "someone/Tiny-GGUF"
ADDRESS = f"hf:{REPO}/q4/Tiny Model.Q4_0.gguf"


class Hub(ThreadingHTTPServer):
    """What the library asks a hub for: a repository's facts, and its files."""

    daemon_threads = True

    def __init__(self) -> None:
        self.files = {"q4/Tiny Model.Q4_0.gguf": b"GGUF tiny", "LICENSE.txt": b"Do as you like."}
        self.wrong: dict[str, str] = {}
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Asked)


class Asked(BaseHTTPRequestHandler):
    """One request."""

    server: Hub

    def do_GET(self) -> None:
        """Answer."""
        from urllib.parse import unquote

        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(f"{self.command} {path}")
        start = f"/{REPO}/resolve/{COMMIT}/"
        if path.startswith(f"/api/models/{REPO}"):
            self._say(200, json.dumps(self._facts()).encode(), {"content-type": "application/json"})
        elif path.startswith(start) and path.removeprefix(start) in self.server.files:
            data = self.server.files[path.removeprefix(start)]
            digest = hashlib.sha256(data).hexdigest()
            self._say(200, data, {"etag": f'"{digest}"', "x-repo-commit": COMMIT})
        else:
            self._say(404, b"{}", {"x-error-code": "RepoNotFound"})

    do_HEAD = do_GET

    def _facts(self) -> dict[str, Any]:
        siblings = []
        for name, data in self.server.files.items():
            digest = self.server.wrong.get(name, hashlib.sha256(data).hexdigest())
            lfs = {"sha256": digest, "size": len(data), "pointerSize": 1} if name.endswith(".gguf") else None
            siblings.append({"rfilename": name, "size": len(data), "lfs": lfs})
        card = {"license": "apache-2.0"}
        return {
            "id": REPO,
            "modelId": REPO,
            "sha": COMMIT,
            "siblings": siblings,
            "cardData": card,
            "tags": [],
        }

    def _say(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *ignored: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on this machine, which the library believes to be the one."""
    constants = pytest.importorskip("huggingface_hub.constants")
    with Hub() as running:
        url = f"http://127.0.0.1:{running.server_address[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_comes_with_its_licence(home: Path, server: Hub) -> None:
    """A pulled file is pinned to its commit, and licence and checksum are kept and told."""
    said: list[str] = []
    path = pull(ADDRESS, progress=said.append)
    assert path.read_bytes() == b"GGUF tiny"
    assert find("Tiny-Model.Q4_0") == path
    [found] = pulled()
    assert found.source == f"hf:{REPO}@{COMMIT}/q4/Tiny Model.Q4_0.gguf"
    assert found.licence == "apache-2.0"
    assert (path.parent / "LICENSE.txt").read_bytes() == b"Do as you like."
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["LICENSE.txt", path.name, "about.json"]
    assert found.sha256 in "\n".join(said)


def test_the_second_pull_asks_nobody(home: Path, server: Hub) -> None:
    """A file from the Hub that is here is not looked up again."""
    pull(ADDRESS)
    server.asked.clear()
    pull(ADDRESS)
    assert server.asked == []


def test_two_files_cannot_share_a_name(home: Path, server: Hub) -> None:
    """A file of the same name from another repository does not replace the one that is here."""
    pull(ADDRESS)
    with pytest.raises(WeightsError, match=r"Other weights are called 'Tiny-Model.Q4_0' already"):
        pull("hf:another/Repo/Tiny Model.Q4_0.gguf")


def test_a_missing_file_names_those_there_are(home: Path, server: Hub) -> None:
    """A mistyped file is answered with the repository's GGUF files."""
    with pytest.raises(WeightsError, match=r"It has q4/Tiny Model\.Q4_0\.gguf"):
        pull(f"hf:{REPO}/tiny.gguf")


def test_a_missing_repository_is_one_error(home: Path, server: Hub) -> None:
    """The library's own errors do not come through, nor the address it asked."""
    with pytest.raises(WeightsError, match="could not be fetched from no/body") as caught:
        pull("hf:no/body/x.gguf")
    assert "127.0.0.1" not in str(caught.value)


def test_a_wrong_checksum_is_refused(home: Path, server: Hub) -> None:
    """What came is held against the checksum that the Hub states."""
    server.wrong["q4/Tiny Model.Q4_0.gguf"] = "0" * 64
    with pytest.raises(WeightsError, match="is wrong"):
        pull(ADDRESS)
    assert find("Tiny-Model.Q4_0") is None


def test_what_is_no_gguf_is_refused(home: Path, server: Hub) -> None:
    """A file that only ends in .gguf is not kept."""
    server.files["q4/Tiny Model.Q4_0.gguf"] = b"<html>"
    with pytest.raises(WeightsError, match="is no GGUF file"):
        pull(ADDRESS)


@pytest.mark.parametrize(
    "address",
    [
        "hf:x.gguf",
        "hf:org/x.gguf",
        "hf:org/repo/x.bin",
        "hf:org/repo/../../x.gguf",
        "hf:org/repo/x-00001-of-00002.gguf",
        "hf:https://example.com/x.gguf",
        "hf:org/repo/..gguf",
        "hf:",
    ],
)
def test_addresses_that_name_no_file(home: Path, address: str) -> None:
    """What is no ORG/REPO/FILE.gguf in one piece is refused before anything is asked."""
    with pytest.raises(WeightsError):
        pull(address)


def test_a_parsed_name_can_name_a_folder() -> None:
    """Whatever the file is called, its name here is a plain one."""
    _, file, name = hub.parse("hf:o/r/sub dir/My Model+v2.gguf")
    assert file == "sub dir/My Model+v2.gguf"
    assert name == "My-Model-v2"
    assert is_name(name)


def test_without_the_library_the_command_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without huggingface_hub the error says what to install."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackage, match="pip install 'labkit\\[local\\]'"):
        pull(ADDRESS)
