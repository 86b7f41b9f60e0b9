"""Lines go to a shared lab and come back as they were, once."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.records import Request
from labkit.store import SampleRecord
from labkit.store.definition_records import BlockRecord
from labkit.store.exchange import Address, OutLine, Sender, SenderMoved, ShareDatabase
from labkit.store.line_kinds import SHARED
from tests.store.conftest import Make
from tests.store.exchange.conftest import out_line, sent_by

Sql = Callable[..., list[Any]]
make = Make()


def everything(
    share: ShareDatabase, sender: int, workspace: str | None = None, most_bytes: int = 1_000_000
) -> list[bytes]:
    """The bodies of all that a sender sent, fetched piece by piece."""
    found: list[bytes] = []
    upto, there = 0, sent_by(share)[sender]
    while upto < there:
        fetched = share.fetch(sender, workspace, upto, most_bytes=most_bytes)
        assert fetched.upto > upto
        upto = fetched.upto
        found += [line.body for line in fetched.lines]
    return found


# -- sending and fetching --------------------------------------------------------------------------------


def test_making_one_contacts_nothing() -> None:
    """Where no server is, a shared lab can be made, shown and closed."""
    share = ShareDatabase(Address.parse("postgresql://ada:pass-word@127.0.0.1:1/lab"), machine="m")
    share.close()
    assert (share.writable, share.why_read_only) == (False, None)
    assert repr(share) == "ShareDatabase('postgresql://ada@127.0.0.1:1/lab')"


def test_what_is_sent_comes_back_in_its_order(share: ShareDatabase) -> None:
    """Lines of several kinds and processes come back byte for byte in the order in which they were sent."""
    lines = [
        out_line(make.intent()),
        out_line(make.generation(), process="p2"),
        out_line(make.run()),
        out_line(make.attempt()),
        out_line(make.generation("g2"), process="p0"),
        out_line(make.event("finished")),
        out_line(make.score()),
    ]
    me = share.sender("me", lab="lab")
    assert (me.upto, me.sent) == (0, {})
    me = share.send(me, lines[:3], {"a": 10})
    me = share.send(me, lines[3:], {"a": 25, "b": 7})
    assert me == share.sender("me", lab="lab")
    assert (me.upto, me.sent) == (7, {"a": 25, "b": 7})
    assert sent_by(share) == {me.number: 7}
    fetched = share.fetch(me.number, None, 0, most_bytes=1_000_000)
    assert (fetched.upto, [tuple(line) for line in fetched.lines]) == (
        7,
        [(one.process, one.body) for one in lines],
    )
    assert everything(share, me.number, most_bytes=1) == [one.body for one in lines]


def test_a_fetch_ends_with_the_line_that_reaches_its_size(share: ShareDatabase) -> None:
    """A piece has the fewest lines that reach `most_bytes`, and a line longer than that comes alone."""
    lines = [out_line(make.generation(f"g{number}", text="x" * 10_000)) for number in range(5)]
    me = share.send(share.sender("me", lab="lab"), lines, {})
    size = len(lines[0].body)
    for most_bytes, expected in ((1, 1), (size, 1), (size + 1, 2), (5 * size, 5), (50 * size, 5)):
        fetched = share.fetch(me.number, None, 0, most_bytes=most_bytes)
        assert (len(fetched.lines), fetched.upto) == (expected, expected)
    assert share.fetch(me.number, None, 5, most_bytes=1) == ([], 5)


def test_of_nobody_there_is_nothing(share: ShareDatabase) -> None:
    """A sender that is not known has no lines, and no cursor moves."""
    assert share.fetch(77, None, 3, most_bytes=1) == ([], 3)
    assert share.requests(["r"]) == share.samples(["d"]) == share.requests([]) == []


def test_lines_of_other_workspaces_stay_away(share: ShareDatabase) -> None:
    """Only lines of the workspace come, and of no workspace; a cursor moves past those of others."""
    theirs = [
        out_line(make.run("run-2", workspace="theirs")),
        out_line(make.generation("g9", run_id="run-2", workspace="theirs")),
    ]
    theirs += [
        out_line(make.attempt("g9", run_id="run-2")),
        out_line(make.score("g9")),
        out_line(make.event("started", "run-2")),
    ]
    block = out_line(BlockRecord(hash="h", name="b", text="t", created_at=make.moment))
    ours = [
        out_line(make.run()),
        out_line(make.generation()),
        block,
        out_line(make.attempt()),
        out_line(make.intent("g8", run_id="not known")),
    ]
    me = share.send(share.sender("me", lab="lab"), [*theirs, *ours, *theirs], {})
    assert everything(share, me.number, "tests") == [one.body for one in ours]
    assert everything(share, me.number, "tests", most_bytes=1) == [one.body for one in ours]
    assert everything(share, me.number, "nobody's") == [block.body, ours[-1].body]
    assert everything(share, me.number, "theirs") == [one.body for one in (*theirs, block, ours[-1])]


def test_workspaces_are_found_by_run_and_generation(share: ShareDatabase, sql: Sql) -> None:
    """An attempt has its run's workspace and a score its generation's, also of an earlier send and whatever
    the order; what is not known has none."""
    me = share.sender("me", lab="lab")
    me = share.send(
        me,
        [out_line(make.attempt()), out_line(make.score()), out_line(make.run()), out_line(make.generation())],
        {},
    )
    me = share.send(
        me, [out_line(make.intent()), out_line(make.event("x")), out_line(make.score("unknown"))], {}
    )
    found = [
        sql(f"select workspace from labkit_log.{table} order by stamp")
        for table in ("attempts", "intents", "run_events", "scores")
    ]
    assert found == [[("tests",)], [("tests",)], [("tests",)], [("tests",), (None,)]]


def test_requests_and_samples_come_when_they_are_asked_for(share: ShareDatabase) -> None:
    """They are not fetched; by their ids one line of each comes, samples in their order."""

    def request(name: str) -> OutLine:
        messages = ({"role": "user", "content": name},)
        return out_line(
            Request(
                request_id=name,
                provider="p",
                dialect="d",
                endpoint="e",
                model="m",
                name="n",
                messages=messages,
                params={},
            )
        )

    def sample(position: int, dataset: str = "d") -> OutLine:
        return out_line(
            SampleRecord(
                dataset=dataset,
                dataset_name="n",
                position=position,
                sample_id=f"s{position}",
                fields={"a": 1},
            )
        )

    one, two, again = request("r1"), request("r2"), request("r1")
    rows = [sample(11), sample(2), sample(2), sample(0, "other")]
    me = share.send(share.sender("me", lab="lab"), [one, two, again, *rows], {})
    assert everything(share, me.number) == []
    assert [line.body for line in share.requests(["r2", "r1", "r3"])] == [one.body, two.body]
    assert [line.body for line in share.samples(["d", "none"])] == [rows[1].body, rows[0].body]


def test_lines_that_are_there_stay_as_they_are(share: ShareDatabase, sql: Sql) -> None:
    """What another sender brought already is counted and not doubled, be it other lines under that name."""
    first, other = out_line(make.generation(), stamp=5), out_line(make.generation("g2"), stamp=5)
    share.send(share.sender("me", lab="lab"), [first, first], {})
    you = share.send(share.sender("you", lab="copy"), [first, other], {})
    assert you.upto == 2
    assert sql("select generation_id, sender, seq from labkit_log.generations") == [("g1", 1, 1)]
    assert everything(share, you.number) == []


# -- any text --------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=[])) | st.text(st.sampled_from('\0\\u0"\u2028\ud800\x1bn␀'))


@pytest.fixture
def one_share(share: ShareDatabase) -> ShareDatabase:
    share.open()
    return share


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_any_text_comes_back_byte_for_byte(texts: list[str], one_share: ShareDatabase, sql: Sql) -> None:
    """Whatever an answer holds, its line comes back as it was, and people read it with NUL as its sign."""
    me = one_share.sender("me", lab="lab")
    lines = [
        out_line(make.generation(text, text=text, raw=f'{{"a": "{text}\\u0000"}}', user="\0" + text))
        for text in texts
    ]
    then = one_share.send(me, lines, {})
    fetched = one_share.fetch(me.number, None, me.upto, most_bytes=10_000_000)
    assert [line.body for line in fetched.lines] == [line.body for line in lines]
    shown = [
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "␀")
        for text in texts
    ]
    kept = sql(
        'select text, generation_id, "user" from labkit_log.generations'
        " where seq > %s and seq <= %s order by seq",
        me.upto,
        then.upto,
    )
    assert kept == [(text, text, f"␀{text}") for text in shown]


def test_twenty_megabytes_come_back(share: ShareDatabase) -> None:
    """A text of 20 MB among short ones arrives byte for byte."""
    texts = ["short", "\0\u2028é" * 4_000_000, "short too"]
    lines = [out_line(make.generation(f"g{number}", text=text)) for number, text in enumerate(texts)]
    assert len(lines[1].body) > 20_000_000
    me = share.send(share.sender("me", lab="lab"), lines, {})
    assert everything(share, me.number) == [line.body for line in lines]


@pytest.mark.parametrize(
    "odd",
    [
        b'{"generation_id":"odd","input_tokens":' + b"1" + b"0" * 30 + b"}",
        b'{"generation_id":"odd","started_at":"the day after"}',
        b'{"generation_id":"odd","text":"\xff\xfe"}',
        b'{"generation_id":"odd","text":"\\ud800"}',
        b'{"generation_id":"odd","latency_s":1e999}',
        b'{"generation_id":"'
        + bytes(range(97, 123)) * 400
        + b"".join(b"%d" % (n * 7919) for n in range(9000))
        + b'"}',
        b'{"generation_id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"no JSON at all {",
        b"",
    ],
    ids=["count", "time", "bytes", "surrogate", "number", "key", "depth", "json", "nothing"],
)
def test_a_line_that_does_not_fit_blocks_no_other(odd: bytes, share: ShareDatabase, sql: Sql) -> None:
    """A line whose values fit no column is kept as it is, its columns NULL; all others are read."""
    lines = [
        out_line(make.run()),
        *(out_line(make.generation(f"g{number}")) for number in range(20)),
        out_line(make.score()),
    ]
    for place in (1, 7, 21):
        stamp = lines[place].stamp
        lines.insert(place, OutLine("generation", "p9", stamp, b"00000000 generation %d " % stamp + odd))
    me = share.send(share.sender("me", lab="lab"), lines, {})
    assert everything(share, me.number, "tests") == [line.body for line in lines]
    found = sql(
        "select seq from labkit_log.generations where generation_id is null and text is null order by seq"
    )
    assert found == [(2,), (8,), (22,)]
    assert sql("select count(*) from labkit_log.generations where generation_id like 'g%'") == [(20,)]


# -- who sends -------------------------------------------------------------------------------------------


def test_a_send_that_does_not_know_of_another_changes_nothing(share: ShareDatabase, url: str) -> None:
    """Where more arrived of a sender than it thinks, nothing of its lines is kept, and it says so."""
    other = ShareDatabase(Address.parse(url), machine="lab-1")
    me, the_same = share.sender("me", lab="lab"), other.sender("me", lab="lab")
    other.send(the_same, [out_line(make.generation())], {"a": 1})
    with pytest.raises(SenderMoved, match="other lines of sender 1 than the 0"):
        share.send(me, [out_line(make.generation("g2"))], {"a": 2, "b": 3})
    assert sent_by(share) == {1: 1}
    assert share.sender("me", lab="lab") == Sender(1, 1, {"a": 1})
    other.close()


def test_senders_are_told_apart(share: ShareDatabase, sql: Sql) -> None:
    """Each identity has its number, which it keeps; how it is called may change."""
    numbers = [share.sender(identity, lab="lab").number for identity in ("a", "b\0\ud800", "a", "b\0\ud800")]
    assert numbers[0] != numbers[1]
    assert numbers[:2] == numbers[2:]
    share.machine = "lab-9"
    share.sender("a", lab="moved")
    assert sql("select machine, lab from labkit_log.senders where identity = 'a'") == [("lab-9", "moved")]


def test_nothing_and_how_far_can_be_sent(share: ShareDatabase) -> None:
    """Where a journal has no line to send, how far it was read is noted all the same."""
    me = share.send(share.sender("me", lab="lab"), [], {"a": 100})
    assert share.sender("me", lab="lab") == me == Sender(me.number, 0, {"a": 100})


SEND = 40


def send_from_a_process(url: str, name: str, sent: Any, begin: Any) -> None:
    share = ShareDatabase(Address.parse(url), machine=name)
    me = share.sender(name, lab="lab")
    begin.wait()
    for batch in range(SEND):
        lines = [
            out_line(make.generation(f"{batch}"), process=f"p{n % 3}", stamp=batch * 10 + n)
            for n in range(10)
        ]
        lines += [out_line(make.attempt(), process=f"p{n % 2}", stamp=batch * 10 + n) for n in range(5)]
        me = share.send(me, lines if name in "ac" else lines[::-1], {"a": batch})
    share.close()
    sent.put(me.upto)


def test_four_senders_of_the_same_lines_do_not_deadlock(url: str, share: ShareDatabase, sql: Sql) -> None:
    """Four processes that send the same lines at once, two of them backwards, all come through, each line is
    there once, and the server counts no deadlock."""
    share.open()
    context = multiprocessing.get_context("spawn")
    sent, begin = context.Queue(), context.Barrier(4)
    each = [context.Process(target=send_from_a_process, args=(url, name, sent, begin)) for name in "abcd"]
    for one in each:
        one.start()
    assert [sent.get(timeout=60) for _ in each] == [SEND * 15] * 4
    for one in each:
        one.join()
    assert sql("select count(*) from labkit_log.generations") == [(SEND * 10,)]
    assert sql("select deadlocks from pg_stat_database where datname = current_database()") == [(0,)]


# -- the schema ------------------------------------------------------------------------------------------


def test_two_that_open_at_once_both_can(url: str, sql: Sql) -> None:
    """Of several that find no tables at one moment, each can write after it."""
    shares = [ShareDatabase(Address.parse(url), machine=f"lab-{number}") for number in range(4)]
    threads = [threading.Thread(target=one.open) for one in shares]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.writable for one in shares] == [True] * 4
    assert sql("select count(*) from labkit_log.schema_version") == [(1,)]
    for share in shares:
        share.close()


SQL = {
    "text": "text",
    "whole": "bigint",
    "number": "double precision",
    "flag": "boolean",
    "json": "json",
    "time": "timestamp with time zone",
}


def test_each_kind_has_a_table_with_its_columns(share: ShareDatabase, sql: Sql) -> None:
    """A record's fields are its table's columns, but for what its line alone keeps; what is more is the
    table's own."""
    share.open()
    own = {
        "process": "text",
        "stamp": "bigint",
        "sender": "integer",
        "seq": "bigint",
        "workspace": "text",
        "body": "bytea",
    }
    for kind in SHARED:
        found = dict(
            sql(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = 'labkit_log' and table_name = %s",
                kind.table,
            )
        )
        expected = own | {name: SQL[shape] for name, shape in kind.columns.items()}
        if kind.table == "generations":
            del expected["raw"]
        assert found == expected, kind.table
