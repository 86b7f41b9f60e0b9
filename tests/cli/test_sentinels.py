"""`labkit sentinels` and labkit.sentinel.listing: what each said last, and which fell silent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import labkit as lk
from labkit.cli.main import labkit
from labkit.sentinel.listing import Accepted, Checked, listed, silence
from labkit.store.definition_records import BaselineRecord, CheckRecord

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WELL, WORSE, UNSURE = "not shown to be worse", "worse", "cannot tell"
HOSTILE = "a\x1b[2J\u202eb\nc"


def check(lab: lk.Lab, outcome: Any, checked_at: datetime, *, name: str = "nightly", **more: Any) -> None:
    """Put one check into the lab, as a sentinel would: of the run of its moment."""
    plain: dict[str, Any] = {
        "check_id": f"{name} {checked_at} {more}",
        "sentinel": name,
        "workspace": "default",
        "run_id": f"run {checked_at:%d %H:%M}",
        "again_run_id": None,
        "baseline_id": None,
        "baseline": "2026-11",
        "outcome": outcome,
        "sentences": ["…"],
        "notes": [],
        "findings": [],
        "alarms": [],
        "settings": {},
        "asked_at": checked_at,
        "checked_at": checked_at,
    }
    lab.store.writer().put(CheckRecord(**plain | more))


def accept(lab: lk.Lab, name: str, accepted_at: datetime, **more: Any) -> None:
    """Put a baseline into the lab."""
    plain: dict[str, Any] = {
        "baseline_id": f"{name} {accepted_at}",
        "sentinel": name,
        "workspace": "default",
        "baseline": "2026-10",
        "run_ids": ["r0"],
        "answers_each": 5,
        "content": {},
        "forced": False,
        "why": None,
        "accepted_at": accepted_at,
    }
    lab.store.writer().put(BaselineRecord(**plain | more))


def call(lab: lk.Lab, *words: str) -> Result:
    """Calls `labkit sentinels …` in this process, which has the lab open."""
    lab.store.writer().flush()
    return CliRunner().invoke(labkit, ["sentinels", "--lab", str(lab.path), *words], catch_exceptions=False)


def test_each_sentinel_has_a_row(lab: lk.Lab) -> None:
    """By workspace and name: the baseline of the last check, the state and since which night, the nights, the
    last run; a run that was checked again counts once, by what was said last."""
    now = datetime.now(UTC)
    for days, outcome in ((5, WELL), (4, WORSE), (3, WELL), (2, WORSE), (1, WORSE)):
        check(lab, outcome, now - days * DAY, run_id=f"r{days}", baseline=f"b{days}")
    check(lab, UNSURE, now - HOUR, name="other", baseline=None)
    check(lab, WELL, now - 4 * DAY, workspace="w2")
    check(lab, WORSE, now - 3 * DAY + HOUR, run_id="r3", baseline="b3")
    done = call(lab, "--json")
    assert done.exit_code == 0
    rows = {(row["workspace"], row["sentinel"]): row for row in json.loads(done.stdout)}
    assert list(rows) == [("default", "nightly"), ("default", "other"), ("w2", "nightly")]
    row = rows["default", "nightly"]
    assert (row["baseline"], row["state"], row["since_night"], row["nights"]) == ("b1", WORSE, 2, 5)
    assert (row["run_id"], row["silence"]) == ("r1", None)
    assert datetime.fromisoformat(row["checked_at"]) == now - DAY
    assert datetime.fromisoformat(row["since"]) == now - 4 * DAY
    assert (rows["default", "other"]["state"], rows["default", "other"]["baseline"]) == (UNSURE, None)
    assert rows["w2", "nightly"]["silence"] == "silent for 4 days"
    told = call(lab).stdout.splitlines()
    assert told[0].split() == [
        *("workspace", "sentinel", "baseline", "state", "since", "nights", "run_id", "checked_at", "silence")
    ]
    assert f"{now - 4 * DAY:%Y-%m-%d} (night 2)" in told[1]
    assert "silent for 4 days" in told[3]
    assert "None" not in "".join(told)
    assert [row["workspace"] for row in json.loads(call(lab, "--workspace", "w2", "--json").stdout)] == ["w2"]


def test_what_was_said_before_a_new_baseline_is_no_state_any_more(lab: lk.Lab) -> None:
    """Until it is checked, it is not checked since; a baseline that was accepted before changes nothing."""
    now = datetime.now(UTC)
    check(lab, WORSE, now - 2 * HOUR, run_id="r1", baseline="2026-10")
    accept(lab, "nightly", now - HOUR, baseline_id="new", baseline="2026-11")
    check(lab, WELL, now - 2 * HOUR, name="other", run_id="r2", baseline="2026-10")
    accept(lab, "other", now - DAY, baseline_id="old")
    rows = {row["sentinel"]: row for row in json.loads(call(lab, "--json").stdout)}
    assert (rows["nightly"]["state"], rows["nightly"]["baseline"]) == ("not checked since", "2026-11")
    assert (rows["other"]["state"], rows["other"]["baseline"]) == (WELL, "2026-10")


def test_cron_is_told_of_a_silent_one(lab: lk.Lab) -> None:
    """`--check` says only what is wrong, with exit code 4; who is retired is left out by `--except`, and a
    name that is none of theirs is told."""
    now = datetime.now(UTC)
    check(lab, WORSE, now - HOUR)
    done = call(lab, "--check")
    assert (done.exit_code, done.output) == (0, "")
    check(lab, WELL, now - 3 * DAY - HOUR, name=HOSTILE, run_id="r7")
    accept(lab, "never", now - 40 * HOUR)
    accept(lab, "never", now - 38 * HOUR, baseline="2026-11")
    accept(lab, "soon", now - HOUR)
    check(lab, WELL, now + DAY, name="ahead")
    done = call(lab, "--check")
    assert (done.exit_code, done.stdout) == (4, "")
    silent = f"(last check {now - 3 * DAY - HOUR:%Y-%m-%d %H:%M} UTC, run r7)"
    assert done.stderr.splitlines() == [
        f"a⟨1B⟩[2J⟨202E⟩b⏎c in workspace default: silent for 3 days {silent}",
        "ahead in workspace default: its last check is in the future: the clock was set back "
        f"(last check {now + DAY:%Y-%m-%d %H:%M} UTC, run run {now + DAY:%d %H:%M})",
        "never in workspace default: never checked, for 38 hours",
    ]
    with_json = call(lab, "--check", "--json")
    assert with_json.exit_code == 4
    rows = {row["sentinel"]: row for row in json.loads(with_json.stdout)}
    assert rows.keys() == {"nightly", HOSTILE, "ahead", "never", "soon"}
    assert (rows["never"]["state"], rows["never"]["baseline"]) == ("never checked", "2026-11")
    assert (rows["never"]["nights"], rows["never"]["run_id"], rows["soon"]["silence"]) == (0, None, None)
    assert "never checked" in call(lab).stdout
    retired = [word for name in (HOSTILE, "never", "ahead") for word in ("--except", name)]
    done = call(lab, "--check", *retired)
    assert (done.exit_code, done.output) == (0, "")
    done = call(lab, "--check", *retired, "--except", "nigthly")
    assert done.exit_code == 0
    assert done.stderr.startswith("labkit: No sentinel is called 'nigthly'; the nearest: nightly")


def test_where_nothing_watches_nobody_is_at_ease(lab: lk.Lab, echo: Any) -> None:
    """No sentinel in the lab or in the workspace, or all of them retired: 4, and one sentence."""
    lab.plan(prompts=["Say hi"], models=[echo()]).run()
    assert (call(lab).exit_code, call(lab).output) == (0, "no sentinel is watched\n")
    assert json.loads(call(lab, "--json").stdout) == []
    done = call(lab, "--check")
    assert (done.exit_code, done.stderr) == (4, "no sentinel is watched: nobody would notice\n")
    check(lab, WELL, datetime.now(UTC))
    assert call(lab, "--check").exit_code == 0
    assert call(lab, "--check", "--except", "nightly").exit_code == 4
    done = call(lab, "--check", "--workspace", "nightyl")
    assert done.exit_code == 4
    assert done.stderr == "no sentinel is watched in workspace 'nightyl': nobody would notice\n"


def nights(gaps: Sequence[timedelta], *, since: timedelta) -> list[datetime]:
    """Times of checks with these gaps, the last of which was `since` ago."""
    return [NOW - since - gap for gap in reversed(list(accumulate([timedelta(), *reversed(gaps)])))]


@pytest.mark.parametrize(
    ("gaps", "since", "said"),
    [
        ([], 36 * HOUR, None),
        ([], 37 * HOUR, "silent for 37 hours"),
        ([DAY] * 20, 36 * HOUR, None),
        ([DAY] * 20, 47 * HOUR, "silent for 47 hours"),
        ([DAY] * 20, 48 * HOUR, "silent for 2 days"),
        ([HOUR] * 20, 30 * HOUR, None),
        ([HOUR / 60, DAY] * 10, 35 * HOUR, None),  # twice a night
        ([7 * DAY] * 20, 10 * DAY, None),
        ([7 * DAY] * 20, 11 * DAY, "silent for 11 days"),
        ([DAY] * 20 + [30 * DAY], 2 * DAY, "silent for 2 days"),  # a long holiday is not the rhythm
        ([30 * DAY] * 20 + [DAY] * 14, 3 * DAY, "silent for 3 days"),  # nor is what was long ago
        ([30 * DAY] * 20 + [DAY] * 3, 40 * DAY, None),
        ([-DAY] * 20, 2 * DAY, "silent for 2 days"),
        ([DAY] * 20, -timedelta(seconds=30), None),
        ([DAY] * 20, -HOUR, "its last check is in the future: the clock was set back"),
        ([DAY] * 20, 2_000 * DAY, "silent for 2,000 days"),
    ],
)
def test_silence_is_longer_than_the_rhythm(
    gaps: Sequence[timedelta], since: timedelta, said: str | None
) -> None:
    """Half as long again as the usual gap of the latest fifteen checks, and never under 36 hours."""
    assert silence(nights(gaps, since=since), now=NOW) == said


def test_a_clock_that_went_on_is_believed_again() -> None:
    """The last night decides, by the order in which nights were checked, whatever the clock said before."""
    times = [NOW + 300 * DAY, NOW + 301 * DAY, NOW - 2 * DAY, NOW - DAY]
    rows = [
        Checked(
            workspace="w",
            sentinel="s",
            night=night,
            run_id=f"r{night}",
            baseline=None,
            outcome=WELL,
            checked_at=checked_at,
        )
        for night, checked_at in enumerate(times, 1)
    ]
    [row] = listed(rows, now=NOW)
    assert (row.silence, row.run_id, row.since_night) == (None, "r4", 1)
    [row] = listed(rows[:2], now=NOW)
    assert row.silence == "its last check is in the future: the clock was set back"
    ahead = Accepted(workspace="w", sentinel="s", baseline="b", accepted_at=NOW + DAY)
    [row] = listed([], [ahead], now=NOW)
    assert row.silence == "its baseline is of the future: the clock was set back"


@given(st.lists(st.sampled_from([WELL, WORSE, UNSURE]), min_size=1, max_size=12))
def test_the_streak_is_of_the_last_outcome(outcomes: list[str]) -> None:
    """`since_night` is the first of the nights that all say what the last one says."""
    rows = [
        Checked(
            workspace="w",
            sentinel="s",
            night=night,
            run_id="r",
            baseline=None,
            outcome=outcome,
            checked_at=NOW + night * DAY,
        )
        for night, outcome in enumerate(outcomes, 1)
    ]
    [row] = listed(rows, now=NOW)
    assert row.since_night is not None
    assert set(outcomes[row.since_night - 1 :]) == {row.state}
    assert row.since_night == 1 or outcomes[row.since_night - 2] != row.state
    assert row.since == NOW + row.since_night * DAY
