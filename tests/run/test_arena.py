"""labkit.run.arena: what competes, what is kept of a press, and what a second kernel or rater sees."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import labkit as lk
from labkit.errors import DefinitionError, StoreError
from labkit.store import RatingRecord
from tests.run.arena_runs import MODELS, NAMES, rate, run, says

Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def ran(lab: Any) -> Any:
    """A run of three models over six samples."""
    return run(lab)


def kept(lab: Any, columns: str = "*") -> pd.DataFrame:
    """The ratings that the lab has, oldest first."""
    found: pd.DataFrame = lab.sql(f"select {columns} from ratings order by rated_at")
    return found


def seen(task: Any) -> tuple[Any, Any]:
    """What a person sees of a task."""
    return task.parts, task.answers


# -- bad input -----------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_named_at_once(lab: Any, ran: Any) -> None:
    """No run, what is none, unknown `by`, a question and a user that are no texts, a bad seed and switch."""
    with pytest.raises(DefinitionError) as caught:
        lk.Arena(by="colour", question=3, user=4, seed="x", mask="yes")  # type: ignore[arg-type]
    assert len(caught.value.faults) == 6
    for word in ("lk.Arena(run)", "'colour'", "question is 3", "user is 4", "seed is 'x'", "mask is 'yes'"):
        assert word in str(caught.value)
    with pytest.raises(DefinitionError, match="run is 'r-1'; give a run"):
        lk.Arena(ran, "r-1")  # type: ignore[arg-type]
    for by in ([], ["model", "model"], 3, None):
        with pytest.raises(DefinitionError, match="compare by 'model', 'prompt'"):
            lk.Arena(ran, by=by)  # type: ignore[arg-type]
    assert kept(lab).empty


def test_one_contender_is_no_arena(lab: Any) -> None:
    """It is named, and what else could be compared; by both, one prompt and one model are one contender."""
    alone = run(lab, {"kindly": says(0)})
    for by, word in (("model", "scripted/kindly"), ("prompt", "secret-prompt"), (["prompt", "model"], " · ")):
        with pytest.raises(DefinitionError, match=f"takes two .*{word}"):
            lk.Arena(alone, by=by)
    with pytest.raises(DefinitionError, match="takes two models at least, and there is scripted/kindly"):
        alone.preference()


def test_nothing_in_common_is_nothing_to_rate(lab: Any) -> None:
    """Two models of which each failed where the other answered; and answers that are all equal."""

    def fails(rest: int) -> Callable[[Any], str]:
        def say(request: Any) -> str:
            if int(request.messages[-1]["content"].split()[-1]) % 2 == rest:
                raise lk.errors.InvalidRequest("no")
            return "yes"

        return say

    apart = run(lab, {"kindly": fails(0), "gruffly": fails(1)})
    with pytest.raises(DefinitionError, match="nothing to rate: no two answered the same sample"):
        lk.Arena(apart)
    same = run(lab, {"kindly": lambda _: "yes", "gruffly": lambda _: " yes\n"})
    with pytest.raises(DefinitionError, match="nothing to rate: all their answers are equal"):
        lk.Arena(same)


def test_runs_that_do_not_go_together(lab: Any, here: Path, ran: Any) -> None:
    """Runs of different datasets, or of two labs, are named; one that is given twice counts once."""
    other = run(lab, rows=3)
    with pytest.raises(DefinitionError, match=f"{ran.run_id}, {other.run_id} are of different datasets"):
        lk.Arena(ran, other)
    with pytest.raises(DefinitionError, match="several labs"):
        lk.Arena(ran, run(lk.Lab(here / "other.duckdb")))
    assert lk.Arena(ran, lab.run(ran.run_id)).arena_id == lk.Arena(ran).arena_id


def test_a_run_that_goes_is_waited_for_first(lab: Any, echo: Callable[..., Any]) -> None:
    """Answers still come: its pairs would not be the same in a minute."""
    go = threading.Event()

    def waits(request: Any) -> str:
        go.wait(60)
        return "late"

    models = [echo("kindly", answers=waits), echo("gruffly")]
    going = lab.plan(prompts=["Say {{ n }}"], models=models, dataset=[{"n": "1"}, {"n": "2"}]).start()
    try:
        with pytest.raises(DefinitionError, match=r"still goes on; wait for it first: run\.wait\(\)"):
            lk.Arena(going)
    finally:
        go.set()
    assert lk.Arena(going.wait()).contenders == ("scripted/gruffly", "scripted/kindly")


# -- what competes -------------------------------------------------------------------------------------------


def test_by_prompt_and_model(lab: Any) -> None:
    """Prompts compete with the same model's answers, models with the same prompt's, both with any."""
    prompts = [lk.Prompt(name, f"{name} {{{{ message }}}}") for name in ("long-one", "short-one")]
    answers = {
        "kindly": lambda r: f"K {len(str(r.messages))}",
        "gruffly": lambda r: f"G {len(str(r.messages))}",
    }
    both = run(lab, answers, prompts=prompts)
    models, asked = lk.Arena(both), lk.Arena(both, by="prompt")
    assert models.contenders == ("scripted/gruffly", "scripted/kindly")
    assert asked.contenders == ("long-one", "short-one")
    assert len(lk.Arena(both, by=["prompt", "model"]).contenders) == 4
    for arena, alike in ((models, "prompt"), (asked, "model")):
        rate(arena, 6, "1")
        rows = lab.sql(
            f"select a.{alike} as one, b.{alike} as other from ratings r "
            "join generations a on a.generation_id = left_id "
            "join generations b on b.generation_id = right_id "
            f"where arena = '{arena.arena_id}'"
        )
        assert len(rows) == 6
        assert (rows["one"] == rows["other"]).all()


def test_several_runs_compete(lab: Any) -> None:
    """Runs over one dataset, each of another model: their answers compete, and a rating of two runs' answers
    is told where both are given."""
    first, second = run(lab, {"kindly": says(0)}), run(lab, {"gruffly": says(1)})
    arena = lk.Arena(first, second)
    assert arena.contenders == ("scripted/gruffly", "scripted/kindly")
    rate(arena, 6)
    assert len(arena.ratings()) == 6
    assert lk.Arena(second, first).arena_id == arena.arena_id
    assert set(lk.Arena(second, first).ratings()["rating_id"]) == set(arena.ratings()["rating_id"])


def test_repeats_and_chains(lab: Any) -> None:
    """Of repeats the first competes; of a chain its last answer."""
    count = iter(range(1_000))
    again = run(lab, {"kindly": lambda _: f"k{next(count)}", "gruffly": says(1)}, repeats=2, rows=3)
    arena = lk.Arena(again)
    assert arena.progress().total == 3
    rate(arena, 3)
    ids = "select left_id as id from ratings union all select right_id from ratings"
    assert set(lab.sql(f'select "repeat" from generations where generation_id in ({ids})')["repeat"]) == {0}
    chain = lk.Chain(
        "talk", lk.Step("first", "Think of {{ message }}"), lk.Step("last", "Say {{ first }} again")
    )
    chained = run(lab, {"kindly": says(0), "gruffly": says(1)}, prompts=[chain], rows=2)
    texts = {text for task in rate(lk.Arena(chained), 2) for _, text in task.answers}
    assert all("to Say Answer" in text for text in texts)
    assert len(texts) == 4


def test_equal_answers_are_tied_and_never_shown(lab: Any) -> None:
    """A sample that two answered alike is not shown of them, counted apart, and no rating."""
    alike = run(
        lab, {"kindly": lambda r: "yes", "gruffly": lambda r: "no" if "3" in str(r.messages) else "yes"}
    )
    arena = lk.Arena(alike, user="ada")
    assert (arena.equal, arena.progress().total) == (5, 1)
    assert {text for _, text in rate(arena, 1)[0].answers} == {"yes", "no"}
    assert arena.now() is None
    assert arena.progress().words == (
        "Nothing is left to rate: 1 rating by ada. arena.preference() says what they amount to"
    )
    assert "(5 pairs of equal answers were never shown and count nowhere)" in str(arena.preference())


def test_names_in_answers_are_masked_and_counted(lab: Any) -> None:
    """Names of models and of prompts with signs in them, whole words, however they are spelled; not where
    masking is off. Answers that differ in nothing but a name look equal."""
    named = {
        "kindly-7b": lambda _: "I am Kindly 7B, made by OpenAI; see scripted/kindly-7b and secret-prompt.",
        "early": lambda r: "early, not nearly" if "1" in str(r.messages) else "I am GRUFF-1.",
        "gruff-1": lambda r: "I am early." if "0" in str(r.messages) else "Nothing.",
    }
    masked = run(lab, named, rows=3)
    arena = lk.Arena(masked)
    texts = {text for task in rate(arena, 9, "1") if task for _, text in task.answers}
    assert texts == {"I am ▮, made by ▮; see ▮ and ▮.", "▮, not nearly", "I am ▮.", "Nothing."}
    assert arena.equal == 1
    rows = kept(lab, "left_id, right_id, masked")
    assert set(rows["masked"]) == {1, 4, 5}
    bare = lk.Arena(masked, mask=False, user="bo")
    assert bare.equal == 0
    assert any("Kindly 7B" in text for task in rate(bare, 9, "1") for _, text in task.answers)
    assert set(kept(lab, 'masked, "user"').query("user == 'bo'")["masked"]) == {0}


HOSTILE = {
    "kindly": lambda r: [
        "<script>alert(1)</script>",
        "\u202eabc\u05d0\u05d1",
        "\x1b[31mred",
        "w " * 500_000,
        "",
        "\n",
    ][int(r.messages[-1]["content"].split()[-1])],
    "gruffly": lambda r: "plain",
}


def test_hostile_answers_are_texts(lab: Any) -> None:
    """Script, right-to-left, terminal signs, a million characters and nothing: each is rated as it is."""
    arena = lk.Arena(run(lab, HOSTILE))
    texts = {text for task in rate(arena, 6, "1") for _, text in task.answers}
    assert len(texts) == 6 or len(texts) == 7
    assert "<script>alert(1)</script>" in texts
    assert max(map(len, texts)) == 1_000_000
    assert arena.now() is None
    assert len(kept(lab)) == 6


# -- what is kept --------------------------------------------------------------------------------------------

READER = """
import json, sys, labkit as lk
lab = lk.Lab("lab.duckdb")
for line in sys.stdin:
    said = lab.sql("select preferred from ratings order by rated_at")["preferred"]
    print(json.dumps(said.tolist()), flush=True)
"""


def test_a_rating_is_on_disk_before_the_next_pair(lab: Any, ran: Any, script: Script) -> None:
    """Another process reads it as soon as the press returns, before anybody asks for the next pair."""
    reader, arena = script(READER), lk.Arena(ran)
    assert reader.stdin is not None
    assert reader.stdout is not None
    said = []
    for key, word in (("1", "left"), ("2", "right"), ("3", "tie"), ("4", "neither"), ("0", "skip")):
        arena.press(arena.now(), key, None)  # type: ignore[arg-type]
        said.append(word)
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert json.loads(reader.stdout.readline()) == said


def test_what_is_kept_with_a_rating(lab: Any, ran: Any) -> None:
    """Who, when, how long, the note, how its pair was drawn, with which chance, the arena, the workspace."""
    arena = lk.Arena(ran, user="ada", seed=7)
    task = arena.now()
    assert task is not None
    arena.press(task, "1", "kinder, 1 2 3")
    row = kept(lab).iloc[0]
    assert (row["user"], row["comment"], row["preferred"]) == ("ada", "kinder, 1 2 3", "left")
    assert (row["drawn"], row["peeked"], row["masked"]) == ("rule", False, 0)
    assert row["chance"] == pytest.approx(1 / 3)
    assert 0 <= row["took_s"] < 60
    assert row["arena"] == arena.arena_id
    assert row["workspace"] == lab.runs()["workspace"].iloc[0]
    left = lab.sql(f"select \"text\" from generations where generation_id = '{row['left_id']}'")
    assert left["text"].item() == task.answers[0][1]
    frame = ran.ratings().iloc[0]
    assert frame["winner"] == frame["left"] != frame["right"]
    assert frame["took_s"] == row["took_s"]


def test_a_press_on_another_task_does_nothing(lab: Any, ran: Any) -> None:
    """What was shown before the last press cannot be rated again."""
    arena = lk.Arena(ran)
    (old,) = rate(arena, 1)
    arena.press(old, "2", None)
    assert arena.now() is not None
    arena.press(old, "2", None)
    assert kept(lab)["preferred"].tolist() == ["left"]


def test_what_cannot_be_written_is_not_said(lab: Any, ran: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised, the same pair stays to be rated, and it is rated once."""
    arena = lk.Arena(ran)
    task = arena.now()
    assert task is not None
    writer = lab.store.writer()
    with monkeypatch.context() as patch:
        patch.setattr(type(writer), "put", lambda self, record: (_ for _ in ()).throw(StoreError("no room")))
        with pytest.raises(StoreError, match="no room"):
            arena.press(task, "1", None)
    assert arena.now() is task
    arena.press(task, "2", None)
    assert kept(lab)["preferred"].tolist() == ["right"]


def test_what_is_written_late_after_all_is_there_once(
    lab: Any, ran: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A press of which it was told that it is not on disk, and that gets there later, is no second rating of
    its pair: what was pressed again holds. One that is on disk is kept though the lab cannot be read."""
    arena = lk.Arena(ran)
    task = arena.now()
    assert task is not None
    writer = lab.store.writer()
    with monkeypatch.context() as patch:
        patch.setattr(type(writer), "flush", lambda self: (_ for _ in ()).throw(StoreError("too slow")))
        with pytest.raises(StoreError, match="too slow"):
            arena.press(task, "1", None)
    assert arena.now() is task
    with monkeypatch.context() as patch:
        patch.setattr(arena._contest, "said", lambda: (_ for _ in ()).throw(StoreError("locked")))
        arena.press(task, "2", None)
        assert arena.now() is not task
        assert arena.progress().done == 1
        assert arena.undo()
        assert seen(arena.now()) == seen(task)
        rate(arena, 1, "2")
    assert kept(lab)["preferred"].tolist() == ["right"]


def test_undo_is_a_row_and_the_pair_comes_back(lab: Any, ran: Any) -> None:
    """What was said last is taken back by a row more; the same pair is shown again, on the same sides."""
    arena = lk.Arena(ran)
    assert not arena.undo()
    tasks = rate(arena, 3)
    rating = kept(lab)["rating_id"].iloc[-1]
    assert arena.undo()
    assert seen(arena.now()) == seen(tasks[-1])
    assert len(kept(lab)) == 2
    rows = lab.store.table(
        "select withdrawn from log.ratings where rating_id = ? order by written_at", [rating]
    )
    assert rows.to_pylist() == [{"withdrawn": False}, {"withdrawn": True}]
    rate(arena, 1, "4")
    assert kept(lab)["preferred"].tolist() == ["left", "right", "neither"]
    assert [arena.undo() for _ in range(4)] == [True, True, True, False]
    assert seen(arena.now()) == seen(tasks[0])
    assert kept(lab).empty


def test_undo_goes_on_after_a_restart_and_takes_only_ones_own(lab: Any, ran: Any, here: Path) -> None:
    """A new kernel takes back this rater's last rating of this arena; no other rater's, no other arena's."""
    arena = lk.Arena(ran, user="ada")
    tasks = rate(arena, 3, note="so")
    rate(lk.Arena(ran, user="bo"), 2)
    rate(lk.Arena(ran, user="ada", seed=1), 1)
    before = kept(lab)
    again = lk.Arena(lk.Lab(here / "lab.duckdb").run(ran.run_id), user="ada")
    assert again.undo()
    after = kept(lab)
    assert len(after) == 5
    (gone,) = set(before["rating_id"]) - set(after["rating_id"])
    assert gone == before["rating_id"].iloc[2]
    row = lab.store.table(
        "select * exclude (written_at, written_by) from log.ratings where withdrawn", []
    ).to_pylist()
    was = before[before["rating_id"] == gone].iloc[0]
    assert row[0]["comment"] == was["comment"] == "so"
    assert pd.Timestamp(row[0]["rated_at"]) == was["rated_at"]
    assert [again.undo() for _ in range(3)] == [True, True, False]
    assert len(kept(lab)) == 3
    assert seen(lk.Arena(ran, user="ada").now()) != seen(tasks[0])  # one was rated in another arena


NEXT = """
import json, sys, labkit as lk
arena = lk.Arena(lk.Lab("lab.duckdb").run(sys.argv[1]), user="ada")
task = arena.now()
print(json.dumps([task.parts, task.answers]), flush=True)
"""


def test_a_restarted_kernel_shows_the_same_pair(lab: Any, ran: Any, script: Script) -> None:
    """Another process, with other hashes, shows what this one shows, though another rated meanwhile."""
    arena = lk.Arena(ran, user="ada")
    rate(arena, 4)
    shown = arena.now()
    rate(lk.Arena(ran, user="bo"), 5)
    for number in ("1", "2"):
        found, wrong = script(NEXT, ran.run_id, PYTHONHASHSEED=number).communicate(timeout=120)
        assert found, wrong
        parts, answers = json.loads(found)
        assert [[*map(tuple, parts)], [*map(tuple, answers)]] == [list(shown.parts), list(shown.answers)]  # type: ignore[union-attr]


def test_a_plan_that_runs_again_keeps_its_ratings(lab: Any) -> None:
    """A notebook run again from the top has a new run, which replays the answers: the arena is where it was,
    also of chains, and its ratings count for both runs; answers asked afresh have none."""
    chain = lk.Chain(
        "talk", lk.Step("first", "Think of {{ message }}"), lk.Step("last", "Say {{ first }} again")
    )
    for prompt in (lk.Prompt("secret-prompt", "Reply to {{ message }}"), chain):
        first = run(lab, prompts=[prompt])
        arena = lk.Arena(first, user="ada")
        tasks = rate(arena, 4)
        again = run(lab, prompts=[prompt])
        assert again.run_id != first.run_id
        other = lk.Arena(again, user="ada")
        assert other.arena_id == arena.arena_id
        assert seen(other.now()) == seen(arena.now())
        assert len(first.ratings()) == len(again.ratings()) == 4
        assert other.undo()
        assert seen(other.now()) == seen(tasks[-1])
        assert len(first.ratings()) == 3
        fresh = lk.Arena(run(lab, prompts=[prompt], fresh=True), user="ada")
        assert fresh.ratings().empty
        assert not fresh.undo()


RATER = """
import sys, labkit as lk
from tests.run.arena_runs import rate
arena = lk.Arena(lk.Lab("lab.duckdb").run(sys.argv[1]), user=sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print(len(rate(arena, 12)), flush=True)
"""


def test_two_raters_at_once(lab: Any, ran: Any, script: Script) -> None:
    """Two processes and this one rate one lab at the same time: nothing is lost, and nothing twice."""
    root = str(Path(__file__).parents[2])
    others = [script(RATER, ran.run_id, user, PYTHONPATH=root) for user in ("bo", "cy")]
    arena = lk.Arena(ran, user="ada")
    for other in others:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "ready\n", other.communicate()[1]
        other.stdin.write("\n")
        other.stdin.flush()
    rate(arena, 12)
    for other in others:
        assert other.communicate(timeout=120)[0] == "12\n"
    rows = kept(lab)
    assert rows["user"].value_counts().to_dict() == {"ada": 12, "bo": 12, "cy": 12}
    assert rows["rating_id"].is_unique
    assert "by others" in lk.Arena(ran, user="ada").progress().words


def test_rows_of_other_answers_are_left_alone(lab: Any, ran: Any) -> None:
    """Ratings of answers that do not compete, of two samples, of one answer with itself, or with a word that
    is none, are no ratings here, and break nothing."""
    ids = lab.generations(columns=["generation_id", "sample_id", "model"]).sort_values("sample_id")
    first = ids[ids["model"] == MODELS[0]]["generation_id"].tolist()
    second = ids[ids["model"] == MODELS[1]]["generation_id"].tolist()
    writer = lab.store.writer()
    foreign = [("g-x", "g-y", "left"), (first[0], "g-y", "left"), (first[0], second[1], "left"),
               (first[0], first[0], "tie"), (first[2], second[2], "both")]  # fmt: skip
    for number, (left, right, preferred) in enumerate(foreign):
        row = RatingRecord(
            rating_id=f"f{number}", left_id=left, right_id=right, preferred=preferred,  # type: ignore[arg-type]
            rated_at=pd.Timestamp.now("UTC").to_pydatetime(),
        )  # fmt: skip
        writer.put(row)
    writer.flush()
    arena = lk.Arena(ran)
    rate(arena, 2)
    assert len(kept(lab)) == 7
    assert not ran.ratings()["rating_id"].str.startswith("f").any()
    assert arena.preference().headline == "Nothing is said before 10 ratings: 2 so far."


# -- what is told --------------------------------------------------------------------------------------------

TYPES = {
    "rating_id": "str", "sample_id": "str", "left": "str", "right": "str", "preferred": "str",
    "winner": "str", "user": "str", "rated_at": "datetime64[us, UTC]", "drawn": "str", "chance": "float64",
    "took_s": "float64", "peeked": "boolean", "masked": "Int64", "comment": "str",
}  # fmt: skip


def test_the_frame_of_ratings(lab: Any, ran: Any) -> None:
    """Its columns have the same types with and without rows; the lab's table is open to queries."""
    assert {name: str(kind) for name, kind in ran.ratings().dtypes.items()} == TYPES
    rate(lk.Arena(ran), 6)
    frame = ran.ratings()
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == TYPES
    assert frame["preferred"].tolist() == ["left", "right", "tie", "tie", "left", "neither"]
    assert frame["winner"].notna().tolist() == [True, True, False, False, True, False]
    assert set(frame["left"]) | set(frame["right"]) == set(MODELS)
    assert len(lab.sql("from ratings")) == 6


def test_all_rated_is_told(lab: Any, ran: Any) -> None:
    """When nothing is left it is said, with what was rated and skipped; more presses do nothing."""
    arena = lk.Arena(ran, user="ada")
    total = arena.progress().total
    assert total == 18
    while arena.now() is not None:
        rate(arena, 1, "01"[len(kept(lab)) == 0] if len(kept(lab)) % 6 == 5 else "2")
    done, _, words = arena.progress()
    rows = kept(lab)
    skipped = int((rows["preferred"] == "skip").sum())
    assert done == total
    said = f"{len(rows) - skipped} ratings by ada, {skipped} skipped"
    assert words == f"Nothing is left to rate: {said}. arena.preference() says what they amount to"
    assert arena.undo()
    assert arena.now() is not None


def test_who_looks_at_the_standing_has_it_kept(lab: Any, ran: Any) -> None:
    """It is hidden until asked for; then each later rating says so, also after a restart, where it is hidden
    again. Printing the preference is a look, too."""
    arena = lk.Arena(ran, user="ada")
    rate(arena, 12, "12")
    task = arena.now()
    assert task is not None
    assert not any(name in str((seen(task), arena.progress(), arena)) for name in NAMES)
    assert arena.choices[-1].label == "show the standing"
    arena.press(task, "standing", None)
    shown = arena.now()
    assert shown is not None
    assert shown.answers == task.answers
    assert shown.parts[0][0] == "the standing so far"
    assert "preferred" in shown.parts[0][1]
    assert shown.parts[1:] == task.parts
    arena.press(shown, "1", None)
    assert arena.choices[-1].label == "hide the standing"
    arena.press(arena.now(), "standing", None)  # type: ignore[arg-type]
    assert arena.now().parts[0][0] != "the standing so far"  # type: ignore[union-attr]
    again = lk.Arena(ran, user="ada")
    assert again.now().parts[0][0] != "the standing so far"  # type: ignore[union-attr]
    rate(again, 1)
    other = lk.Arena(ran, user="bo")
    rate(other, 1)
    other.preference()
    rate(other, 1)
    assert kept(lab)["peeked"].tolist() == [*[False] * 12, True, True, False, True]
    assert any("looked" in note or "look at the standing" in note for note in ran.preference().notes)


def test_skips_of_ones_own_are_not_others_ratings(lab: Any, ran: Any) -> None:
    """Progress counts a rater's ratings, what he skipped, and others' ratings apart."""
    arena = lk.Arena(ran, user="ada")
    rate(arena, 3, "101")
    assert arena.progress().words == "2 ratings by ada, 1 skipped"
    rate(lk.Arena(ran, user="bo"), 3, "101")
    assert lk.Arena(ran, user="ada").progress().words == "2 ratings by ada, 1 skipped, 2 by others"
    assert lk.Arena(ran, user="bo").progress().words == "2 ratings by bo, 1 skipped, 2 by others"


def test_judges_stand_beside_people(lab: Any, ran: Any) -> None:
    """What a score's judge says of the same pairs is held beside the raters."""
    judge = lk.judge(
        "kind",
        "Is it kind?",
        model=lk.Model(
            "scripted/judge", client=lk.Script(lambda r: '{"reason": "so", "verdict": "yes"}', version="1")
        ),
        grades={"no": 0, "yes": 1},
    )
    ran.score(judge)
    rate(lk.Arena(ran), 10, "3")
    found = ran.preference()
    assert found.agreement["who"].tolist() == ["people with people", "kind"]
    assert found.agreement["pairs"].tolist()[1] == 10
