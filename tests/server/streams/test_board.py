"""The streams of runs: numbered, committed before they are seen, and gone on from anywhere."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from labkit.server.accounts.principal import Access
from labkit.server.state import State
from labkit.server.state.tables import Event, Meta, ServedRun
from labkit.server.streams import board as board_module
from labkit.server.streams import event_writer, run_stream
from labkit.server.streams.board import Board
from labkit.server.streams.poller import NOT_ALLOWED

RUN = "run-1"
A, B = "scripted/a", "scripted/b"

Read = Callable[..., Any]


def until(there: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


def kept(state: State, run_id: str = RUN) -> list[tuple[int, str]]:
    with state.reading() as rows:
        found = rows.execute(
            select(Event.number, Event.kind).where(Event.run_id == run_id).order_by(Event.number)
        )
        return [(number, kind) for number, kind in found]


def told(script: Any) -> None:
    """A whole run of two models."""
    script.sent(A)
    script.sent(B)
    script.text(A, "Hel", "lo")
    script.text(B, "Hi")
    script.ended(A, "Hello", input_tokens=3, output_tokens=2, cost_usd=0.5, stop_reason="stop")
    script.ended(B, "Hi", stop_reason="stop")
    script.end()


def test_events_are_as_the_older_engine_made_them(board: Board, script: Any, read: Read) -> None:
    """Each is `{type, runId, modelId, timestamp, data}` with the name the model was asked for by."""
    told(script)
    client = read(board)
    of_a = [event for event in client.events if event.get("modelId") == "alias-a"]
    assert [event["type"] for event in of_a] == ["start", "token", "usage", "complete"]
    usage = {"promptTokens": 3, "completionTokens": 2, "totalTokens": 5, "estimatedCost": 0.5}
    assert [event["data"] for event in of_a] == [
        {"type": "start"},
        {"type": "token", "token": "Hello", "index": 0},
        {"type": "usage", "usage": usage},
        {"type": "complete", "output": "Hello", "usage": usage, "finishReason": "stop"},
    ]
    assert {frozenset(event) for event in of_a} == {
        frozenset(("type", "runId", "modelId", "timestamp", "data"))
    }
    assert all(event["runId"] == RUN and event["timestamp"].endswith("Z") for event in client.events)
    assert client.events[-1]["data"]["runs"] == [
        {"id": "g-scripted/a", "modelId": "alias-a"},
        {"id": "g-scripted/b", "modelId": "scripted/b"},
    ]


def test_ids_rise_by_one_over_all_models(board: Board, script: Any, read: Read, state: State) -> None:
    """A run's events are numbered 1, 2, 3 … and kept under these numbers, `end` last."""
    told(script)
    client = read(board)
    assert client.ids == [f"{RUN}-{number}" for number in range(1, len(client.ids) + 1)]
    assert kept(state) == list(enumerate(client.kinds, 1))
    with state.reading() as rows:
        run = rows.get(ServedRun, RUN)
        assert run is not None
        assert (run.events, run.ended_us is not None) == (len(client.ids), True)


def test_what_is_seen_is_committed(board: Board, script: Any, read: Read, state: State) -> None:
    """No reader sees an event that another process could not read in the state at that moment."""
    threading.Thread(target=told, args=(script,)).start()
    looked = []

    def look(client: Any) -> bool:
        looked.append(not client.ids or kept(state)[-1][0] >= int(client.last_id.rpartition("-")[2]))
        return False

    read(board, enough=look)
    assert len(looked) > 1
    assert all(looked)


def test_text_is_gathered(board: Board, script: Any, read: Read) -> None:
    """Of text that comes in thousands of pieces at most 20 events a second are made."""
    begun = time.monotonic()
    script.sent(A)
    for piece in range(1_000):
        script.text(A, f"{piece} ")
        time.sleep(0.0005)  # the text comes over half a second and more
    seconds = time.monotonic() - begun
    script.ended(A, "".join(f"{piece} " for piece in range(1_000)))
    script.end()
    tokens = read(board).kinds.count("token")
    assert 3 <= tokens <= 20 * seconds + 3


def test_a_second_try_begins_anew(board: Board, script: Any, read: Read) -> None:
    """Where an attempt broke off and another was sent, `start` comes again, and the text is the second's."""
    script.sent(A)
    script.text(A, "broken")
    script.sent(A, 2)
    script.text(A, "whole")
    script.ended(A, "whole")
    script.end()
    client = read(board)
    assert client.kinds == ["start", "token", "start", "token", "complete", "end"]
    assert client.texts == {"alias-a": "whole"}


@pytest.mark.parametrize("heard", [None, [], ["<think>no</think>", "yes"], ["yes", " and no"], ["ye"]])
def test_the_text_is_the_rows(heard: list[str] | None, board: Board, script: Any, read: Read) -> None:
    """What was not heard as the row has it (a replay, reasoning taken back, a cut) is told anew, whole."""
    if heard is not None:
        script.sent(A)
        script.text(A, *heard)
    script.ended(A, "yes")
    script.end()
    client = read(board)
    assert client.texts["alias-a"] == "yes"
    assert client.kinds[-2:] == ["complete", "end"]


@pytest.mark.parametrize("status", ["failed", "partial", "stopped"])
def test_what_is_not_done_ends_with_its_error(status: str, board: Board, script: Any, read: Read) -> None:
    """A row that is not done ends with `error`, with the row's words and type, after its text and usage."""
    text = "as far as" if status == "partial" else None
    script.sent(A)
    script.text(A, "as far as")
    script.ended(A, text, status, error_type="refused", error_message="No.", output_tokens=4)
    script.end()
    client = read(board)
    assert client.texts["alias-a"] == (text or "")
    assert client.kinds[-3:] == ["usage", "error", "end"]
    assert client.events[-2]["data"] == {"type": "error", "error": "No.", "code": "refused"}


def test_what_cannot_be_told_holds_up_no_end(
    board: Board, script: Any, read: Read, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault in making an event loses that one; the others come, and the run is over for all who wait."""
    whole = run_stream.said

    def said(kind: str, *what: Any, **data: Any) -> Any:
        if kind == "token":
            raise ZeroDivisionError
        return whole(kind, *what, **data)

    monkeypatch.setattr(run_stream, "said", said)
    told(script)
    client = read(board)
    assert sorted(client.kinds) == sorted(["start", "start", "usage", "complete", "complete", "end"])
    assert script.stream.kept.wait(10)
    assert f"An event of run {RUN} was lost." in caplog.text


def test_after_the_end_nothing_is_heard(board: Board, script: Any, read: Read, state: State) -> None:
    """What is told of a run after its end is no part of its stream."""
    told(script)
    script.text(A, "late")
    script.end()
    assert read(board).kinds.count("end") == 1
    time.sleep(2 * event_writer.EVERY_S)  # long enough for it to be written, if it were
    assert kept(state)[-1][1] == "end"


def test_rows_are_written_with_their_event(
    boards: Callable[..., Board], new_script: Any, read: Read, state: State
) -> None:
    """What is given for a generation is in the state when its event is seen; rows that cannot be written hold
    up nothing."""

    def write(generation: Any) -> Callable[[Session], None]:
        def written(rows: Session) -> None:
            rows.add(Meta(name="one" if generation.model == B else generation.model, value={}))
            rows.flush()

        return written

    with state.writing() as rows:
        rows.add(Meta(name="one", value={}))  # so B's is there already
    board = boards()
    script = new_script(board.open(RUN, {A: A, B: B}, ended=write))
    script.ended(A, "a")
    read(board, enough=lambda client: "complete" in client.kinds)
    with state.reading() as rows:
        assert rows.get(Meta, A) is not None
    script.ended(B, "b")
    script.end()
    assert read(board).texts == {A: "a", B: "b"}


@contextmanager
def unwritable(state: State) -> Iterator[None]:
    """No event can be written meanwhile."""
    with state.engine.begin() as connection:
        connection.execute(text("alter table events rename to hidden"))
    yield
    with state.engine.begin() as connection:
        connection.execute(text("alter table hidden rename to events"))


@pytest.mark.alone
def test_what_cannot_be_written_is_kept(board: Board, script: Any, read: Read, state: State) -> None:
    """Where the state takes nothing, telling goes on, readers wait, and then all of it comes once."""
    script.sent(A)
    script.text(A, "one ")
    read(board, enough=lambda client: "token" in client.kinds)
    with unwritable(state):
        begun = time.monotonic()
        for _ in range(100):
            script.text(A, "more ")
        assert time.monotonic() - begun < 1
        time.sleep(0.2)  # time for it to fail more than once
    script.ended(A, "one " + 100 * "more ")
    script.end()
    client = read(board)
    assert client.texts["alias-a"] == "one " + 100 * "more "
    assert client.kinds.count("start") == 1
    assert client.ids == [f"{RUN}-{number}" for number in range(1, len(client.ids) + 1)]


def test_a_commit_that_only_looked_failed_is_not_repeated(
    state: State, boards: Callable[..., Board], new_script: Any, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a connection breaks after the commit and before its word came, no event is there twice."""
    real, broken = state.writing, []

    @contextmanager
    def breaking(**given: Any) -> Iterator[Session]:
        with real(**given) as rows:
            yield rows
        if len(broken) < 3:
            broken.append(1)
            raise OSError("the connection broke")

    board = boards()
    monkeypatch.setattr(state, "writing", breaking)
    script = new_script(board.open(RUN, {A: A}))
    script.sent(A)
    script.text(A, "once")
    until(lambda: bool(kept(state)))
    script.ended(A, "once")
    script.end()
    client = read(board)
    assert client.kinds == ["start", "token", "complete", "end"]
    assert kept(state) == list(enumerate(client.kinds, 1))


def test_another_process_follows(boards: Callable[..., Board], board: Board, script: Any, read: Read) -> None:
    """A run that another board drives is followed until its end, from wherever a reader was."""
    threading.Timer(0.3, told, (script,)).start()
    other = boards()
    client = read(other)
    assert client.texts == {"alias-a": "Hello", "scripted/b": "Hi"}
    again = read(boards(), after=3)
    assert again.events == client.events[3:]
    assert again.ids[0] == f"{RUN}-4"


def test_a_run_that_is_gone_on_with_is_numbered_on(
    boards: Callable[..., Board], new_script: Any, read: Read, state: State
) -> None:
    """Where one process ended in mid-run, another that tells of the run's end goes on with its numbers."""
    first = boards()
    script = new_script(first.open(RUN, {A: A}))
    script.sent(A)
    script.text(A, "half")
    first.close()
    second = boards()
    script = new_script(second.open(RUN, {A: A}))
    script.ended(A, None, "failed", error_message="It was broken off.")
    script.end()
    client = read(second)
    assert client.kinds == ["start", "token", "start", "error", "end"]
    assert kept(state) == list(enumerate(client.kinds, 1))
    assert client.texts == {A: ""}


def test_two_that_tell_of_one_run_hold_up_nothing(
    boards: Callable[..., Board], new_script: Any, read: Read, state: State
) -> None:
    """Where a run is told of by two processes, each numbers on after what the other wrote."""
    one, other = (new_script(boards().open(RUN, {A: A, B: B})) for _ in range(2))
    for number, (script, model) in enumerate(((one, A), (other, B), (one, A), (other, B)), 1):
        script.text(model, "word ")
        until(lambda: len(kept(state)) == number)  # noqa: B023 - called at once
    one.end()
    client = read(boards())
    assert client.texts == {A: "word word ", B: "word word "}
    assert client.ids == [f"{RUN}-{number}" for number in range(1, 6)]


def test_an_unknown_number_begins_at_the_beginning(board: Board, script: Any, read: Read) -> None:
    """A reader that names an event that is not there gets all of them."""
    told(script)
    everything = read(board).events
    for after in (10**6, -3, 0):
        assert read(board, after=after).events == everything


def test_deleted_events_are_made_from_the_rows(
    boards: Callable[..., Board], new_script: Any, read: Read, state: State
) -> None:
    """A run whose events were deleted is streamed from its `PromptRun`s, with the same last id."""
    runs = [
        {"modelId": "alias-a", "status": "completed", "output": "Hello", "inputTokens": 3, "cost": 0.5},
        {"modelId": "scripted/b", "status": "failed", "error": "No."},
    ]
    board = boards(rebuilt=lambda run: runs)
    told(new_script(board.open(RUN, {A: "alias-a", B: B})))
    whole = read(board)
    board.forget(0)
    assert kept(state)
    board.forget(time.time_ns() // 1000 + 1)
    assert not kept(state)
    client = read(board, after=4)
    assert client.texts == {"alias-a": "Hello", "scripted/b": ""}
    assert client.kinds == ["start", "token", "usage", "complete", "start", "error", "end"]
    assert client.events[-1]["data"]["runs"] == runs
    assert client.ids[-1] == whole.ids[-1]


def test_an_old_run_holds_up_no_other(
    boards: Callable[..., Board], admit: Callable[..., None], new_script: Any, read: Read
) -> None:
    """While the rows of a run whose events were deleted are waited for, streams of other runs go on."""
    came = threading.Event()

    def slowly(run_id: str) -> list[dict[str, Any]]:
        came.wait(20)
        return [{"modelId": A, "status": "completed", "output": "old"}]

    driving, reading = boards(), boards(rebuilt=slowly)
    admit("run-old")
    new_script(driving.open("run-old", {A: A})).end()
    read(driving, run_id="run-old")
    driving.forget(time.time_ns() // 1000 + 1)
    old: list[Any] = []
    waiting = threading.Thread(target=lambda: old.append(read(reading, run_id="run-old")))
    waiting.start()
    threading.Timer(0.3, told, (new_script(driving.open(RUN, {A: A, B: B})),)).start()
    assert read(reading).texts == {A: "Hello", B: "Hi"}
    assert waiting.is_alive()
    came.set()
    waiting.join()
    assert old[0].texts == {A: "old"}


@pytest.mark.alone
def test_a_run_is_asked_to_stop_once(boards: Callable[..., Board], state: State) -> None:
    """The process that drives a run hears within a second that it is to stop, and hears it once."""
    heard: list[float] = []
    boards().open(RUN, {A: A}, stop=lambda model: heard.append(time.monotonic()))
    time.sleep(0.3)  # it must not be called unasked
    assert not heard
    asked = time.monotonic()
    with state.writing() as rows:
        run = rows.get(ServedRun, RUN)
        assert run is not None
        run.stop_asked_us = 1
    until(lambda: bool(heard), 2)
    assert heard[0] - asked < 1
    time.sleep(0.6)
    assert len(heard) == 1


@pytest.mark.alone
def test_a_model_alone_is_asked_to_stop_once(boards: Callable[..., Board], state: State) -> None:
    """The process that drives a run hears of each model that is to stop, once, and of the whole run after."""
    heard: list[str | None] = []
    boards().open(RUN, {A: A, B: B}, stop=heard.append)

    def ask(**wish: Any) -> None:
        with state.writing() as rows:
            rows.execute(update(ServedRun).where(ServedRun.id == RUN).values(wish))

    ask(stop_models=[B])
    until(lambda: heard == [B], 2)
    ask(stop_models=[B, A])
    until(lambda: heard == [B, A], 2)
    time.sleep(0.6)  # it must not be told again
    ask(stop_asked_us=1)
    until(lambda: len(heard) > 2, 2)
    assert heard == [B, A, None]


def test_a_stream_ends_with_its_credential(boards: Callable[..., Board], new_client: Any) -> None:
    """A reader whose credential ended is let go within a second; others of the same run read on."""
    hold = {"kept", "ended"}
    board = boards(holding=lambda rows, let_in: {one for one in let_in if one.credential in hold})
    board.open(RUN, {A: A})

    async def read(credential: str, client: Any) -> None:
        async for frame in board.frames(RUN, 0, access=Access(credential, "default")):
            client.take(frame)

    async def both() -> None:
        gone, stays = new_client(), new_client()
        first = asyncio.create_task(read("ended", gone))
        second = asyncio.create_task(read("kept", stays))
        await asyncio.sleep(0.7)
        assert not first.done()
        hold.remove("ended")
        await asyncio.wait_for(first, 1)
        assert gone.events[-1]["data"] == {"type": "end", "reason": NOT_ALLOWED}
        await asyncio.sleep(0.7)
        assert not second.done()
        second.cancel()

    asyncio.run(both())


@pytest.mark.alone
def test_readers_are_told_of_a_restart(
    boards: Callable[..., Board], new_script: Any, new_client: Any, state: State
) -> None:
    """Who reads when the process ends is told so by an `end` without id; what was told is kept."""
    board = boards()
    script = new_script(board.open(RUN, {A: A}))
    client = new_client()

    async def read() -> None:
        async for frame in board.frames(RUN, 0):
            client.take(frame)

    async def ending() -> None:
        reading = asyncio.create_task(read())
        script.sent(A)
        script.text(A, "so ")
        while "token" not in client.kinds:
            await asyncio.sleep(0.01)
        script.text(A, "far")
        begun = time.monotonic()
        await asyncio.to_thread(board.close)
        await asyncio.wait_for(reading, 1)
        assert time.monotonic() - begun < 1

    asyncio.run(ending())
    assert client.events[-1]["data"] == {"type": "end", "reason": "restarting"}
    assert client.last_id == f"{RUN}-2"
    assert kept(state) == [(1, "start"), (2, "token"), (3, "token")]


def test_an_idle_stream_is_kept_open(board: Board, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing comes, a comment is sent from time to time."""
    monkeypatch.setattr(board_module, "PING_S", 0.05)

    async def read() -> list[bytes]:
        frames = board.frames(RUN, 0)
        got = [await asyncio.wait_for(anext(frames), 5) for _ in range(3)]
        await frames.aclose()
        return got

    assert asyncio.run(read()) == [b"retry: 1000\n\n", b": still here\n\n", b": still here\n\n"]


def pieces(text: str, chance: random.Random) -> Iterator[str]:
    """A text in pieces of 1 to 3 characters."""
    at = 0
    while at < len(text):
        width = chance.randint(1, 3)
        yield text[at : at + width]
        at += width


@pytest.mark.parametrize("seed", range(3))
def test_a_reload_loses_nothing(
    seed: int,
    boards: Callable[..., Board],
    new_script: Any,
    new_client: Any,
    hostile: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page that loses its connection at 100 random bytes, and comes back to whichever process, has at the
    end exactly the texts of the rows."""
    monkeypatch.setattr(event_writer, "EVERY_S", 0.002)
    chance = random.Random(seed)
    texts = {model: "".join(f"{hostile}{n}" for n in range(40)) for model in (A, B)}
    driving = boards()
    script = new_script(driving.open(RUN, {A: A, B: B}))

    def drive() -> None:
        script.sent(A)
        script.sent(B)
        script.text(B, "a try that breaks off")
        for number, (one, other) in enumerate(
            zip(pieces(texts[A], random.Random(1)), pieces(texts[B], random.Random(1)), strict=True)
        ):
            if number == 50:
                script.sent(B, 2)
            script.text(A, one)
            if number >= 50:
                script.text(B, other)
            time.sleep(0.002)  # so that it is read while it comes
        script.ended(A, texts[A])
        script.ended(B, texts[B])
        script.end()

    others = [driving, boards(), boards()]
    client = new_client()

    async def read() -> int:
        reloads = 0
        while not client.over:
            board = chance.choice(others)
            client.connected()
            after = int((client.last_id or "-0").rpartition("-")[2])
            budget = chance.choice((10, 300, 3_000)) if reloads < 100 else 10**9
            frames = board.frames(RUN, after)
            async for frame in frames:
                client.take(frame[:budget])
                budget -= len(frame)
                if budget <= 0:
                    break
            await frames.aclose()
            reloads += not client.over
        return reloads

    driver = threading.Thread(target=drive)
    driver.start()
    reloads = asyncio.run(asyncio.wait_for(read(), 120))
    driver.join()
    assert reloads >= 100
    assert client.texts == texts


ANOTHER = """
import sys, time, types
from labkit.server.streams.board import Board
from labkit.server.state import State

board = Board(State(sys.argv[1]), holding=lambda rows, let_in: set(), rebuilt=lambda run: [])
stream = board.open("run-1", {})
cells = [types.SimpleNamespace(model=model) for model in ("scripted/a", "scripted/b")]
for cell in cells:
    stream.sent(cell, 1)
print("begun", flush=True)
for number in range(100_000):
    stream.text(cells[number % 2], f"{number} ")
    time.sleep(0.001)
"""


def test_what_was_seen_survives_a_kill(
    state: State, boards: Callable[..., Board], new_script: Any, new_client: Any, read: Read
) -> None:
    """Where the process that drives a run is killed, what its readers saw is there; whoever then tells of the
    run's end goes on after it, in the stream of those who read still."""
    boards()
    other = subprocess.Popen(
        [sys.executable, "-c", ANOTHER, str(state.address)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "begun\n"
    seen = read(boards(), enough=lambda client: len(client.ids) > 20)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    last = int(seen.last_id.rpartition("-")[2])
    with state.reading() as rows:
        stored = rows.scalar(select(func.max(Event.number)).where(Event.run_id == RUN))
    assert stored is not None
    assert stored >= last
    script = new_script(boards().open(RUN, {A: A, B: B}))
    script.ended(A, None, "failed", error_message="It was broken off.")
    script.ended(B, None, "failed", error_message="It was broken off.")
    script.end()
    rest = read(boards(), after=last)
    assert rest.ids[0] == f"{RUN}-{last + 1}"
    assert rest.kinds[-5:] == ["start", "error", "start", "error", "end"]
    numbers = [int(one.rpartition("-")[2]) for one in rest.ids]
    assert numbers == list(range(last + 1, last + 1 + len(numbers)))
