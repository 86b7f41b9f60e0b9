"""A shared lab as people meet it: `lk.Lab(share=…)`, `lab.share`, `labkit share`, `labkit doctor`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import labkit as lk
from labkit.cli.doctor import examine
from labkit.cli.main import labkit
from labkit.errors import DefinitionError
from labkit.paths import user_cache
from labkit.store import Store
from labkit.store.exchange import Address, ShareDatabase
from tests.proxy import Proxy
from tests.store.exchange.conftest import leave, through

NOWHERE = "postgresql://ada:canary@127.0.0.1:1/lab"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[..., lk.Lab]]:
    """Makes a lab of a machine of its own."""
    made: list[Store] = []

    def make(path: Any, **given: Any) -> lk.Lab:
        one = lk.Lab(tmp_path / path if isinstance(path, Path) else path, **given)
        made.append(one.store)
        return one

    yield make
    for store in made:
        leave(store)


def ask(lab: lk.Lab, *words: str) -> lk.Run:
    echo = lk.Model("scripted/echo", client=lk.Script(lambda messages: "yes", version="1"))
    rows = [{"word": word} for word in words]
    return lab.plan(prompts=["Say {{ word }}."], models=[echo], dataset=rows, id=None).run(progress=None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(labkit, arguments)


def test_a_run_of_one_machine_is_replayed_on_the_other(
    lab: Callable[..., lk.Lab], url: str, tmp_path: Path
) -> None:
    """The second machine sees the first one's run when it opens the lab, asks nothing of it again, and pays
    nothing; what it asks besides is on the first."""
    a = lab(tmp_path / "a.duckdb", share=url)
    first = ask(a, "one", "two")
    assert a.store.catch_up()
    b = lab(tmp_path / "b.duckdb", share=url)
    assert b.runs()["run_id"].tolist() == [first.run_id]
    second = ask(b, "one", "two", "three")
    assert second.generations()["replayed_from"].notna().sum() == 2
    assert b.store.catch_up()
    assert a.store.catch_up()
    assert set(a.runs()["run_id"]) == {first.run_id, second.run_id}
    assert len(a.run(second.run_id).generations()) == 3


def test_a_lab_may_lie_in_the_cache(
    lab: Callable[..., lk.Lab], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a server's address in place of a path, this machine's part lies in the user's cache, and the
    variable shares every lab that names no server."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = lab(url)
    ask(here, "one")
    assert here.store.catch_up()
    assert here.path.parent == user_cache() / "labs"
    assert "labkit_" not in here.path.name
    monkeypatch.setenv("LABKIT_SHARE", url)
    assert len(lab(tmp_path / "b.duckdb").runs()) == 1


def test_what_is_no_server_is_refused_when_the_lab_is_made() -> None:
    """An address that is none, and two at once, raise before anything is opened, without their passwords."""
    for path, share in (("x.duckdb", "mysql://ada:canary@h/d"), (NOWHERE, "postgresql://h/other")):
        with pytest.raises(DefinitionError) as raised:
            lk.Lab(path, share=share)
        assert "canary" not in str(raised.value)


def test_a_workspace_is_brought_in_when_it_is_opened(
    lab: Callable[..., lk.Lab], url: str, tmp_path: Path
) -> None:
    """A lab gets the workspace it is opened with, and `within` brings in another."""
    a = lab(tmp_path / "a.duckdb", share=url, workspace="ours")
    ask(a, "one")
    ask(a.within("theirs"), "two", "three")
    assert a.store.catch_up()
    b = lab(tmp_path / "b.duckdb", share=url, workspace="ours")
    assert len(b.generations()) == 1
    assert len(b.within("theirs").generations()) == 3


def test_the_status_tells_how_far_the_two_are_alike(
    lab: Callable[..., lk.Lab], url: str, tmp_path: Path, proxy: Proxy
) -> None:
    """`lab.share`, `labkit share status` and the doctor say what waits on either side, with the server there
    and away, and `labkit share stop` ends it."""
    path = str(tmp_path / "a.duckdb")
    assert "There is no lab" in str(run("share", "status", "--lab", path).exception)
    assert not [found for found in examine(lk.Lab(path)) if found.what == "shared lab"]
    far = through(proxy, url)
    a, b = lab(Path("a.duckdb"), share=far), lab(Path("b.duckdb"), share=url)
    ask(a, "one")
    assert a.store.catch_up()
    assert b.store.catch_up()
    told = a.share
    assert told is not None
    assert (told.to_send, told.to_receive, told.trouble, told.workspaces) == (0, 0, None, ("default",))
    assert str(told) == f"{told.server}: nothing waits to be sent or to come"
    assert "this kernel" in str(told.by)
    (found,) = (found for found in examine(a) if found.what == "shared lab")
    assert found.state == "ok"
    refused = run("share", "stop", "--lab", path)
    assert "shares this lab now" in str(refused.exception)
    leave(a.store)
    proxy.refuse()
    alone = lab(Path("a.duckdb"))
    ask(alone, "two")
    ask(b, "three")
    assert b.store.catch_up()
    away = run("share", "status", "--json", "--lab", path, "--share", far)
    assert away.exit_code == 1
    read = json.loads(away.output)
    assert read["to_send"] > 0
    assert "cannot be reached" in read["trouble"]
    proxy.mend()
    back = run("share", "status", "--lab", path, "--share", far)
    assert back.exit_code == 0
    assert "still to come" in back.output
    assert f"{read['to_send']} lines wait to be sent" in back.output
    leave(alone.store)
    stopped = run("share", "stop", "--lab", path)
    assert f"{read['to_send']} lines were not sent" in stopped.output
    assert lk.Lab(path).share is None


def test_a_new_machine_reads_by_command(
    lab: Callable[..., lk.Lab], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the variable alone, `labkit runs` on a machine that has no file yet shows what others asked, and
    before that the status says what is still to come."""
    a = lab(Path("a.duckdb"), share=url)
    first = ask(a, "one")
    assert a.store.catch_up()
    monkeypatch.setenv("LABKIT_SHARE", url)
    new = str(tmp_path / "new.duckdb")
    assert "still to come" in run("share", "status", "--lab", new).output
    assert first.run_id in run("runs", "--lab", new).output
    leave(Store(new))


def test_a_lab_can_be_kept_out(lab: Callable[..., lk.Lab], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`share=False` shares a lab with nobody, whatever the variable says, and an empty variable is none."""
    monkeypatch.setenv("LABKIT_SHARE", url)
    kept = lab(Path("private.duckdb"), share=False)
    ask(kept, "one")
    assert kept.share is None
    monkeypatch.setenv("LABKIT_SHARE", "")
    assert lab(Path("other.duckdb")).share is None


def test_the_server_gives_each_number_to_one_text(lab: Callable[..., lk.Lab], url: str) -> None:
    """Two machines that save texts under one name before they heard of each other give them numbers of their
    own, and the same text the same one."""
    a, b = lab(Path("a.duckdb"), share=url), lab(Path("b.duckdb"), share=url)
    for one in (a, b):
        assert one.store.catch_up()
    texts = ["of A", "of B", "of both"]
    numbers = [a.store.save_prompt(lk.Prompt("clash", text)).version for text in texts[::2]]
    numbers += [b.store.save_prompt(lk.Prompt("clash", text)).version for text in texts[1:]]
    assert numbers == [1, 2, 3, 2]
    assert b.store.catch_up()
    assert a.store.catch_up()
    told = a.share
    assert told is not None
    assert not told.doubtful
    assert [a.prompts[f"clash@{number}"].text for number in (1, 2, 3)] == ["of A", "of both", "of B"]


def test_many_machines_at_once_get_numbers_of_their_own(url: str) -> None:
    """Of twenty texts that four machines save at once, some of them the same, each has one number, from 1
    on."""

    def save(machine: int) -> list[tuple[str, int]]:
        database = ShareDatabase(Address.parse(url), machine=f"m{machine}")
        try:
            hashes = [f"h{(machine * 3 + place) % 20}" for place in range(20)]
            return [(hash_, database.number("p", hash_, 0)) for hash_ in hashes]
        finally:
            database.close()

    ShareDatabase(Address.parse(url), machine="m").open()
    with ThreadPoolExecutor(4) as pool:
        given = {pair for pairs in pool.map(save, range(4)) for pair in pairs}
    assert sorted(number for _, number in given) == list(range(1, 21))


def test_two_texts_under_one_number_are_told(lab: Callable[..., lk.Lab], url: str) -> None:
    """Where two machines gave one version of a prompt to two texts, the status names it, all show the same
    text, and whoever saves the other text again gets a number of its own."""
    a, b = lab(Path("a.duckdb"), share=url), lab(Path("b.duckdb"), share=url)
    for one in (a, b):
        one.store.catch_up()
        one.store._shared.exchange.number = lambda name, hash_, known: known + 1  # as with the server away
    prompts = lk.Prompt("clash", "of A"), lk.Prompt("clash", "of B")
    for store, prompt in zip((a.store, b.store), prompts, strict=True):
        store.save_prompt(prompt)
    for store in (a.store, b.store, a.store):
        assert store.catch_up()
    for one in (a, b):
        assert "clash@1 was saved on two machines" in str(one.share)
    texts = [one.prompts["clash"].text for one in (a, b)]
    assert texts[0] == texts[1]
    lost = next(prompt for prompt in prompts if prompt.text != texts[0])
    for store in (a.store, b.store):
        assert store.save_prompt(lost).version == 2
        assert store.catch_up()


@pytest.mark.parametrize("workspace", [7, [], "half \ud800", None])
def test_a_workspace_is_a_name(url: str, tmp_path: Path, workspace: Any) -> None:
    """A shared lab is told at once that a workspace is no text, or one that nobody can write down."""
    with pytest.raises(DefinitionError, match="give a name as text"):
        lk.Lab(tmp_path / "a.duckdb", share=url, workspace=workspace)
