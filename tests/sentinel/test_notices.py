"""Who is told what, and how often: one message a change of state, by the list of the server that got them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import labkit as lk
from labkit.providers.script import Reply
from labkit.sentinel import webhook
from labkit.sentinel.message import message
from tests.sentinel.hook_server import OK, HookServer, answer
from tests.sentinel.planted import Plant, Planted

FIRST = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
At = Callable[[datetime], None]
KEY = "sk-proj-0123456789abcdefABCDEF"
OWN = "my-own-secret-word-1"
HOSTILE = (
    "<!channel>",
    "<http://evil.example|click>",
    "[click](https://evil.example)",
    "![](https://evil.example/pixel.png)",
    "\x1b[31mred\x1b[0m",
    "right\u202eto left",
    "two\nlines\r\nof it",
    "x" * 10_000,
    "@everyone",
    "<@U123> @here @ada",
    "<at>ada</at>",
    f"row of {KEY}",
)


def texts(hook: HookServer) -> list[str]:
    """What arrived, in order."""
    return [json.loads(one.body)["text"] for one in hook.arrived]


def heads(hook: HookServer) -> list[str]:
    """The first line of each, without the sentinel's name."""
    return [text.splitlines()[0].removeprefix("labkit: nightly: ") for text in texts(hook)]


def small(plant: Plant, **wanted: Any) -> Planted:
    """A lab of as few rows as say something."""
    return plant(rows=20, **wanted)


def pass_night(world: Planted, watch: Any, right: float, broken: float = 0.0) -> Any:
    """A night on which so many are right."""
    world.right, world.broken = right, broken
    return watch.check(world.night())


@pytest.mark.alone
def test_thirty_nights_send_one_message_a_change_and_one_a_week_while_it_stays_worse(
    plant: Plant, at: At, hook: HookServer
) -> None:
    """By the server's list: quiet, worse for nine days, recovered, cannot tell, worse, quiet."""
    world = small(plant)
    at(FIRST)
    watch = world.watch(cost=None)
    nights = (
        [(1.0, 0.0)] * 5  # quiet
        + [(0.3, 0.0)] * 9  # worse for nine days: a reminder after seven
        + [(1.0, 0.0)] * 4  # one more that is worse until two in a row are good, then three quiet ones
        + [(1.0, 1.0)] * 3  # the provider is down
        + [(1.0, 0.0)] * 2
        + [(0.3, 0.0)] * 2
        + [(1.0, 0.0)] * 5
    )
    assert len(nights) == 30
    outcomes, arrived = [], []
    for night, (right, broken) in enumerate(nights):
        at(FIRST + timedelta(days=night, minutes=-night % 3))
        outcomes.append(pass_night(world, watch, right, broken).outcome)
        arrived.append(len(hook.arrived))
    quiet = "not shown to be worse"
    assert (
        outcomes
        == [quiet] * 5
        + ["worse"] * 10
        + [quiet] * 3
        + ["cannot tell"] * 3
        + [quiet] * 2
        + ["worse"] * 3
        + [quiet] * 4
    )
    assert heads(hook) == [
        "worse",
        "worse (as before)",
        f"{quiet} (it was: worse)",
        f"cannot tell (it was: {quiet})",
        f"{quiet} (it was: cannot tell)",
        f"worse (it was: {quiet})",
        f"{quiet} (it was: worse)",
    ]
    told_on = [night for night in range(30) if arrived[night] > (arrived[night - 1] if night else 0)]
    assert told_on == [5, 12, 15, 18, 21, 23, 26]
    assert hook.connected == 7


@pytest.mark.parametrize("fault", ["refused", "slow", "500"])
def test_a_hook_that_fails_changes_no_exit_code_and_is_tried_again_at_the_next_check(
    plant: Plant,
    hook: HookServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    """Told in the check and printed; sent at the next check, and then not once more."""
    world = small(plant)
    watch = world.watch(cost=None)
    monkeypatch.setattr(webhook, "LIMIT_S", 0.5)
    if fault == "refused":
        monkeypatch.setenv("LABKIT_WEBHOOK", "http://127.0.0.1:9/services/T0HIDDEN")
    hook.behave = (lambda connection: connection.recv(1)) if fault == "slow" else answer(500)
    check = pass_night(world, watch, 0.3)
    assert (check.outcome, check.exit_code) == ("worse", 3)
    (told,) = check.told
    assert told.startswith("message not given to the webhook: LABKIT_WEBHOOK (127.0.0.1): ")
    assert told.endswith("The next check tries again.")
    assert f"({told})" in str(check)
    assert f"labkit: {told}" in capsys.readouterr().out
    assert "HIDDEN" not in str(check)
    tried = len(hook.arrived)
    monkeypatch.setenv("LABKIT_WEBHOOK", hook.address)
    hook.behave = OK
    assert pass_night(world, watch, 0.3).told == ("message given to the webhook",)
    assert pass_night(world, watch, 0.3).told == ()
    assert len(hook.arrived) == tried + 1


def test_a_channel_that_failed_is_tried_again_though_another_took_it(
    plant: Plant, hook: HookServer, tmp_path: Path
) -> None:
    """What a command was told says nothing of what a chat knows, and it is told once."""
    world = small(plant)
    kept = tmp_path / "kept"
    watch = world.watch(cost=None, notify=appends_to(kept))
    hook.behave = answer(500)
    assert len(pass_night(world, watch, 0.3).told) == 2
    assert len(hook.arrived) == 1
    hook.behave = OK
    assert pass_night(world, watch, 0.3).told == ("message given to the webhook",)
    assert len(hook.arrived) == 2
    assert kept.read_text().count("labkit: nightly: worse") == 1


def appends_to(path: Path) -> list[str]:
    """A command that keeps what it is told."""
    code = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + b'\\n')"
    return [sys.executable, "-c", code, str(path)]


def test_an_old_night_that_is_checked_anew_is_no_change_of_state(plant: Plant, hook: HookServer) -> None:
    """The state is that of the last night; the last night itself, checked anew, is told where it changed."""
    world = small(plant)
    watch = world.watch(cost=None)
    world.right = 1.0
    quiet = world.night()
    watch.check(quiet)
    pass_night(world, watch, 0.3)
    assert heads(hook) == ["worse"]
    assert watch.check(quiet).outcome == "not shown to be worse"
    assert pass_night(world, watch, 0.3).outcome == "worse"
    assert heads(hook) == ["worse"]
    world.lab.sentinel("nightly", latency=None, cost=None, margin=0.9).check(
        world.lab.run(watch.checks()["run_id"].iloc[-1])
    )
    assert len(hook.arrived) == 1  # its alarm stands


def test_a_reminder_comes_though_the_clock_was_set_back_by_a_year(
    plant: Plant, at: At, hook: HookServer
) -> None:
    """A clock that was wrong on the night of the alarm does not silence it for a year; by a day it does not
    matter."""
    world = small(plant)
    watch = world.watch(cost=None)
    at(FIRST + timedelta(days=365))
    pass_night(world, watch, 0.3)
    for day in (0, -1, 1, 2):
        at(FIRST + timedelta(days=day))
        pass_night(world, watch, 0.3)
    assert heads(hook) == ["worse", "worse (as before)"]


@pytest.fixture
def hostile(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Planted:
    """A lab whose ids, answers and names are hostile, and hold keys, as far as labkit lets them in."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HOUSE_TOKEN", OWN)
    ids = [f"{id[:150]} {n}" for n, id in enumerate(HOSTILE) if id.isprintable()]
    data = [{"id": (ids[n : n + 1] or [str(n)])[0], "n": n, "target": "yes"} for n in range(20)]
    return small(plant, data=data)


def attacked(world: Planted, says: str, **watch: Any) -> Any:
    """A sentinel with a hostile name over a prompt and a model of one, on a night that is worse."""

    def script(right: bool) -> list[lk.Model]:
        reply = (
            Reply("yes") if right else Reply(says, response_model=f"m <!here> [x](http://y.z) \x1b[1m {KEY}")
        )
        client = lk.Script(lambda request: reply, version="1")
        return [lk.Model(f"scripted/@everyone-{OWN}", client=client)]

    prompts = [lk.Prompt("ask <!channel> <http:x|y>", "Say {{ n }}")]
    run = world.night(prompts=prompts, models=script(True), repeats=3)
    name = f"nightly <!channel> \x1b[31m\n{KEY}"
    sentinel = world.lab.sentinel(name, latency=None, cost=None, **watch).accept(run)
    return sentinel.check(world.night(prompts=prompts, models=script(False)))


def acts(text: str) -> list[str]:
    """What of a text a terminal or a chat would act on, or is secret."""
    bad = ("\x1b", "\u202e", "\r", "<!", "<@", "<h", "<a", "](", "@everyone", "@here", "@all", "@ada")
    return [one for one in (*bad, KEY, "abcdefAB", OWN, "secret-word") if one in text]


@pytest.mark.parametrize("rows", [False, True])
def test_hostile_names_ids_and_answers_neither_act_nor_hold_a_key(
    hostile: Planted, hook: HookServer, tmp_path: Path, rows: bool
) -> None:
    """In the chat and in the command's input alike; no answer without rows=True, and then of three rows."""
    says = f"ANSWER {KEY} {OWN} <!channel> [x](http://evil.example) \u202e\x1b]0;x\x07 " + "@here " * 200
    kept = tmp_path / "kept"
    check = attacked(hostile, says, rows=rows, notify=appends_to(kept))
    assert check.outcome == "worse", str(check)
    (posted,) = texts(hook)
    for text in (posted, kept.read_text()):
        assert acts(text) == [], text
        assert len(text) <= 1_501
        assert text.count("ANSWER") == (3 if rows else 0)
        assert "Worst rows: " in text
        assert text.count("\n") < 12


@pytest.mark.parametrize("hostile_text", HOSTILE)
def test_what_no_lab_lets_in_is_harmless_in_a_message_too(hostile_text: str) -> None:
    """As a name, an id, an answer, a sentence and a note; one line for each of them."""
    rows = [(hostile_text, hostile_text)] * 3
    text = message(
        hostile_text, "worse", "cannot tell", [hostile_text] * 9, [hostile_text], rows, where=hostile_text
    )
    assert acts(text) == []
    assert len(text) <= 1_500
    assert text.count("\n") <= 15


def test_a_variable_that_holds_no_secret_leaves_the_words_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A short word and the path of a file are no keys, whatever their variable is called."""
    monkeypatch.setenv("FEATURE_KEY", "nightly")
    monkeypatch.setenv("SSH_KEY_FILE", "/home/ada/labkit-nightly/id")
    text = message("labkit-nightly", "worse", None, ["exact: worse."], [], [], where="r")
    assert text == "labkit: labkit-nightly: worse\nexact: worse.\nr"


def test_the_longest_names_leave_room(plant: Plant, hook: HookServer) -> None:
    """Whatever is in them, a message has 1,500 characters at most, and its outcome and run in it."""
    name = "@a" * 50
    data: Sequence[dict[str, Any]] = [{"id": "@b" * 40 + str(n), "n": n, "target": "yes"} for n in range(20)]
    world = small(plant, data=data, models=[f"{'@m' * 30}{n}" for n in range(5)])
    watch = world.lab.sentinel(name, latency=None, rows=True).accept(world.night(repeats=3))
    check = pass_night(world, watch, 0.3)
    (text,) = texts(hook)
    assert len(text) <= 1_500
    assert ": worse" in text.splitlines()[0]
    assert f"\nrun {check.run_id}, " in text


def test_nothing_is_contacted_without_an_address(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, no command: no connection is made, and nothing is told of it."""

    def contacted(*_: Any, **__: Any) -> Any:
        raise AssertionError("contacted")

    world = small(plant)
    watch = world.watch(cost=None)
    monkeypatch.setattr("socket.socket.connect", contacted)
    check = pass_night(world, watch, 0.3)
    assert (check.outcome, check.told) == ("worse", ())
    assert world.lab.sql("select * from notices").empty
