"""Keys in places that are stored or shown are refused, and none is tracked: groups S4, S5 and S25."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import LabkitError

KEY = "sk-" + "proj-4f9Lq2Zx8Rw7Kd3Nb6Hc1Mv5"
REPOSITORY = Path(__file__).parents[2]
KEYS = re.compile(
    rb"\b(sk-ant-[a-z]{3}\d\d-[\w-]{20,}|sk-proj-[\w-]{40,}|sk-[A-Za-z0-9]{32,}|gsk_\w{32,}|hf_[A-Za-z]{30,}"
    rb"|AIza[\w-]{35}|xox[bp]-\d{8,}[\w-]{20,}|gh[ps]_\w{36}|AKIA[0-9A-Z]{16})|-----BEGIN [A-Z ]*PRIVATE KEY"
)
"""What real keys look like; the marked ones of these tests do not."""


@pytest.mark.parametrize(
    "wrong",
    [
        {"experiment": KEY},
        {"params": {"user": KEY}},
        {"params": {"metadata": {"auth": [KEY]}}},
        {"params": {"api_key": "abc"}},
        {"models": [lk.Model("house/m", base_url=f"http://127.0.0.1:1/{KEY}/v1")]},
        {"models": [lk.Model("house/m", base_url=f"https://example.com/v1?api_key={KEY}")]},
        {"models": [lk.Model("house/m", base_url=f"https://{KEY}@example.com/v1")]},
        {"models": [lk.Model("house/m", base_url="http://127.0.0.1:1/v1", params={"user": KEY})]},
        {"models": [lk.Model("house/m", base_url="http://127.0.0.1:1/v1", key_env=KEY)]},
    ],
    ids=range(9),
)
def test_a_key_in_a_plan_is_refused(wrong: dict[str, Any], lab: lk.Lab, echo: Callable[..., Any]) -> None:
    """S4: a key as a run's name, in params or in an address, by name or by its looks, is refused with advice
    before anything is stored, and is not shown."""
    with pytest.raises(LabkitError, match=r"key|query|user or a password") as caught:
        lab.plan(**{"prompts": ["Say a."], "models": [echo()], **wrong}).run()
    assert KEY[6:] not in str(caught.value)
    assert not lab.path.exists()


def test_a_key_as_workspace_is_refused(here: Path, echo: Callable[..., Any]) -> None:
    """S4: nor is it the name of a workspace."""
    with pytest.raises(LabkitError, match="looks like a key"):
        lk.Lab(here / "lab.duckdb", workspace=KEY).plan(prompts=["Say a."], models=[echo()])


def test_no_key_is_in_the_repository() -> None:
    """S5: no tracked file, notebook outputs included, holds what looks like a real key."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git working tree")
    listed = subprocess.run([git, "-C", REPOSITORY, "ls-files", "-z"], capture_output=True, check=True)
    files = [REPOSITORY / name.decode() for name in listed.stdout.split(b"\0") if name]
    assert len(files) > 100
    files.remove(REPOSITORY / "tests" / "keys" / "test_scrub.py")  # it invents what looks like real ones
    found = [str(path) for path in files if path.is_file() and KEYS.search(path.read_bytes())]
    assert found == []


def test_what_may_hold_secrets_is_not_tracked() -> None:
    """S5: `.env`, labs, journals and executed notebooks are left out of the repository."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git working tree")
    names = [".env", "lab.duckdb", "lab.duckdb.journal/x.jsonl", "build/out.ipynb", "notebooks/.env"]
    ignored = subprocess.run(
        [git, "-C", REPOSITORY, "check-ignore", *names], capture_output=True, text=True, check=False
    )
    assert ignored.stdout.split() == names


def test_errors_tell_nothing_of_the_machine(
    here: Path, echo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S25: what a person reads in errors, rows, reprs and tables names no home folder, no environment and no
    SQL with values."""
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("SECRET_OF_MINE", "do-not-show-this")
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    Path("broken.csv").write_text("a,b\n1\n")
    Path("lab.duckdb").write_text("not a lab")
    lab, good = lk.Lab(), lk.Lab("good.duckdb")
    run = good.plan(prompts=[lk.Prompt("p", "{{ q }}")], models=[echo()], dataset=[{"q": "'quoted'"}]).run()
    texts = [repr(good), repr(run), run._repr_html_(), run.generations().to_csv(), run.summary().to_csv()]
    for wrong in (
        lambda: lab.plan(prompts=["Say a."], models=[echo()]).run(),
        lambda: good.plan(prompts=["Say a."], models=[echo()], dataset="broken.csv"),
        lambda: good.plan(prompts=["Say a."], models=[echo()], dataset="gone.csv"),
        lambda: good.plan(prompts=["gone.md"], models=[echo()]),
        lambda: good.plan(prompts=["{{ p | image }}"], models=[echo()], dataset=[{"p": "gone.png"}]),
        lambda: good.plan(prompts=["Say a."], models=["no/such"]),
        lambda: good.plan(prompts=["Say a."], models=[lk.Model("openai/gpt-4o")]).run(),
        lambda: good.sql("select * from nowhere where a = 'do-not-show-this'"),
        lambda: good.run("no such run"),
        lambda: lk.Lab("gone/deep/lab.duckdb").plan(prompts=["Say a."], models=[echo()]).run(),
        lambda: good.backup("good.duckdb"),
    ):
        with pytest.raises(LabkitError) as caught:
            wrong()
        texts.append(str(caught.value).replace("a = 'do-not-show-this'", ""))
    for text in texts:
        assert str(here) not in text, text
        assert "do-not-show-this" not in text
        assert "insert into" not in text.lower()
