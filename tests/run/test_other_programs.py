"""Another program at a lab's files while a run goes: what was acknowledged is found, or told of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.errors import StoreError
from labkit.records import Generation
from labkit.store import per_process_journal
from labkit.store.journal_directory import JournalDirectory
from labkit.widgets.progress import Progress
from tests.store.tampering import TAMPERINGS

Asked = Callable[[Any], list[str]]
Until = Callable[..., None]
ROWS = [{"n": str(number)} for number in range(60)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The answers that were acknowledged, as a grid sees them."""
    heard: list[str] = []
    real = Progress.ended

    def ended(self: Progress, generation: Generation) -> None:
        heard.append(generation.generation_id)
        real(self, generation)

    monkeypatch.setattr(Progress, "ended", ended)
    return heard


def plan_at(lab: lk.Lab, channel: Any) -> lk.Plan:
    """Sixty questions, eight at a time."""
    channel.script(then={"first_s": 0.05})
    return lab.plan(prompts=["Say {{ n }}."], models=[channel.model(concurrency=8)], dataset=ROWS)


def found(lab: lk.Lab) -> list[str]:
    """The answers that the lab has."""
    return sorted(lab.generations(status="done")["generation_id"])


@pytest.mark.parametrize("rotate_bytes", [2_000, per_process_journal.ROTATE_BYTES], ids=["many", "one"])
@pytest.mark.parametrize("how", TAMPERINGS)
def test_journals_tampered_with_under_a_run_lose_nothing(
    how: str,
    rotate_bytes: int,
    lab: lk.Lab,
    channel: Any,
    asked: Asked,
    told: list[str],
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever another program does to the journals, those that are closed too, all that was told of is there
    when it is next read, and at the end: each once, asked for once, with its intent. It is said at once."""
    monkeypatch.setattr(per_process_journal, "ROTATE_BYTES", rotate_bytes)
    run = plan_at(lab, channel).start(progress="none")
    until(lambda: len(told) >= 20)
    before = set(told)
    folder = JournalDirectory(lab.path)
    journals = [folder.path / str(name) for name, status in folder.journals() if status.st_size]
    assert (len(journals) > 2) == (rotate_bytes == 2_000)
    for journal in journals:
        TAMPERINGS[how](journal)
    assert before <= set(found(lab))
    if how != "longer":  # nothing is lost by that
        assert "was changed or removed by another program" in caplog.text
    run.wait()
    assert run.status == "finished"
    assert found(lab) == sorted(told)
    assert sorted(asked(channel)) == sorted(f"Say {row['n']}." for row in ROWS)
    intents = lab.store.table("select generation_id from log.intents")["generation_id"].to_pylist()
    assert sorted(intents) == sorted(told)
    assert "no longer in memory" not in caplog.text


def _by_name(other: Path, path: Path) -> None:
    path.rename(path.with_name("aside"))
    shutil.copy(other, path)


def _in_place(other: Path, path: Path) -> None:
    shutil.copy(path, path.with_name("aside"))
    shutil.copyfile(other, path)


@pytest.mark.parametrize("replace", [_by_name, _in_place])
@pytest.mark.parametrize("log_stays", [True, False], ids=["beside its log", "with its log"])
def test_a_lab_replaced_under_a_run_gets_none_of_its_answers(
    replace: Callable[[Path, Path], None],
    log_stays: bool,
    lab: lk.Lab,
    here: Path,
    channel: Any,
    asked: Asked,
    told: list[str],
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A run whose lab is replaced by another goes on, keeps its answers in the journals and says so; the
    other lab is left as it is. With its own lab back all is there, and nothing is asked again."""
    other = lk.Lab(here / "other.duckdb")
    other.store.check_writable()
    other.store.checkpoint()
    other.store.close()
    run = plan_at(lab, channel).start(progress="none")
    until(lambda: len(told) >= 20)
    assert lab.store.fold().rows if log_stays else lab.store.checkpoint()
    replace(other.path, lab.path)
    log = lab.path.with_name("lab.duckdb.wal")
    assert log.exists() == log_stays
    was = lab.path.read_bytes()
    run.wait()
    assert len(told) == len(ROWS)
    assert "lab.duckdb was replaced by another" in caplog.text
    with pytest.raises(StoreError, match="was replaced by another"):
        plan_at(lab, channel).run()
    assert lab.path.read_bytes() == was
    lab.path.with_name("aside").replace(lab.path)
    assert found(lab) == sorted(told)
    assert run.status == "finished"
    assert plan_at(lab, channel).run().status == "finished"
    assert sorted(asked(channel)) == sorted(f"Say {row['n']}." for row in ROWS)
