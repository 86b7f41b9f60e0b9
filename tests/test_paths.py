"""labkit.paths: what is a plain file, and what is not (group S13)."""

from __future__ import annotations

import os
import socket

import pytest

from labkit.errors import DefinitionError
from labkit.paths import plain_file, read_bytes, read_text


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tickets.csv").write_text("a\n1\n")
    (tmp_path / "tickets.jsonl").write_text("{}\n")
    return tmp_path


def test_a_plain_file_is_taken(folder):
    """An ordinary file, a link to one, and a path from the home folder are all read."""
    (folder / "link.csv").symlink_to(folder / "tickets.csv")
    assert plain_file(folder / "tickets.csv", what="dataset") == folder / "tickets.csv"
    assert read_bytes(folder / "link.csv", what="dataset", limit_bytes=10) == b"a\n1\n"


def test_the_home_folder_is_expanded(folder, monkeypatch):
    """`~` stands for the home folder, as in a shell."""
    monkeypatch.setenv("HOME", str(folder))
    assert plain_file("~/tickets.csv", what="dataset") == folder / "tickets.csv"


def test_a_missing_file_names_its_neighbours(folder):
    """S13: the message for a missing file names the thing, the path and the nearest files."""
    with pytest.raises(DefinitionError, match=r"There is no dataset '.*tickts.csv'. Near it: tickets.csv"):
        plain_file(folder / "tickts.csv", what="dataset")


def test_a_missing_folder_is_said_to_be_missing(folder):
    """S13: where the folder does not exist either, the message says so."""
    with pytest.raises(DefinitionError, match="There is no folder"):
        plain_file(folder / "nowhere" / "x.csv", what="dataset")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/dev/zero", "part of the system"),
        ("/proc/self/environ", "part of the system"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "part of the system|no dataset"),
        ("file:///etc/passwd", "web address"),
        ("https://example.com/x.csv", "web address"),
        ("a\0b.csv", "NUL"),
        ("~no-such/a.csv", "no home folder"),
        ("x" * 5000, "cannot be reached"),
    ],
)
def test_what_is_no_plain_file_is_refused(path, why):
    """S13: devices, /proc, addresses, NUL and overlong paths are refused before anything is read."""
    with pytest.raises(DefinitionError, match=why):
        plain_file(path, what="dataset")


def test_a_link_into_the_system_is_refused(folder):
    """S13: a link is followed before it is judged."""
    (folder / "keys.csv").symlink_to("/proc/self/environ")
    with pytest.raises(DefinitionError, match="part of the system"):
        plain_file(folder / "keys.csv", what="dataset")


def test_a_link_to_itself_is_refused(folder):
    """S13: a loop of links ends in a message, not in a crash."""
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    with pytest.raises(DefinitionError, match="cannot be reached"):
        plain_file(folder / "loop.csv", what="dataset")


def test_a_folder_a_pipe_and_a_socket_are_refused(folder):
    """S13: a pipe is refused without waiting for somebody to write into it."""
    os.mkfifo(folder / "pipe.csv")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "s.csv"))
    for name, kind in (("pipe.csv", "a pipe"), ("s.csv", "a socket"), ("", "a folder")):
        with pytest.raises(DefinitionError, match=kind):
            plain_file(folder / name, what="dataset")
        with pytest.raises(DefinitionError, match=kind):
            read_bytes(folder / name, what="dataset", limit_bytes=10)
    server.close()


def test_a_file_beyond_the_limit_is_refused(folder):
    """A file larger than the limit is refused without being read."""
    with open(folder / "big.csv", "wb") as file:
        file.truncate(10_000_000_000)
    with pytest.raises(DefinitionError, match="10,000 MB; at most"):
        read_bytes(folder / "big.csv", what="dataset", limit_bytes=1_000_000)


def test_text_loses_its_mark_and_its_carriage_returns(folder):
    """A byte order mark and Windows or old Mac line ends do not reach the text."""
    (folder / "a.md").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree")
    assert read_text(folder / "a.md", what="prompt file", limit_bytes=100) == "one\ntwo\nthree"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"one\ntw\xf6\n", r"byte 0xf6 at offset 6, line 2.*Latin-1"),
        (b"\xff\xfeo\0n\0", "seems to be UTF-16. Save it as UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-be"), "UTF-16"),
        ("a,b\n1,2\n".encode("utf-32"), "UTF-32"),
        ("a,b\n1,2\n".encode("utf-32-be"), "UTF-32"),
        (b"\xef\xbb\xbfok\n\xff", r"byte 0xff at offset 6, line 2"),
    ],
)
def test_wrong_encodings_are_named_with_byte_and_line(folder, data, why):
    """B8: text in another encoding is refused, with the byte, its line and a guess."""
    (folder / "a.csv").write_bytes(data)
    with pytest.raises(DefinitionError, match=why):
        read_text(folder / "a.csv", what="CSV file", limit_bytes=100)
