"""A person's SQL reads the lab and reaches nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.datasets import arrow_values
from labkit.errors import DefinitionError, StoreError
from labkit.store import Store, sandboxed_sql

Put = Callable[..., None]
secret_frame = pd.DataFrame({"key": ["sk-secret"]})


@pytest.fixture(params=["lab", "no lab"])
def any_lab(request: pytest.FixtureRequest, store: Store, put: Put, make: Any) -> Store:
    """A lab with a row, and one that does not exist yet."""
    if request.param == "lab":
        put(make.generation())
        store.fold()
    return store


FORBIDDEN = [
    "select * from read_text('/etc/hostname')",
    "select * from read_csv('/etc/passwd')",
    "from '/etc/passwd'",
    "from 'x.csv'",
    "from glob('/*')",
    "select * from secret_frame",
    "select * from sqlite_scan('x', 'y')",
    "select * from read_parquet('https://example.com/x.parquet')",
    "copy generations to 'out.csv'",
    "copy (select 1) to '/dev/stdout'",
    "attach 'other.duckdb'",
    "attach ':memory:' as x",
    "export database 'x'",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset lock_configuration",
    "set memory_limit = '1GB'",
    "pragma enable_profiling",
    "pragma disable_checkpoint_on_shutdown",
    "create table mine (a int)",
    "create temp table mine (a int)",
    "create view mine as select 1",
    "insert into log.generations select * from log.generations",
    "delete from log.generations",
    "update log.generations set text = 'x'",
    "drop table log.generations",
    "alter table log.generations add column x int",
    "checkpoint",
    "vacuum",
    "begin",
    "use memory",
    "call pragma_version()",
    "prepare p as select 1",
    "select 1; select 2",
    "select 1; drop table log.generations",
    "from generations; insert into log.scores select * from log.scores",
    "",
    "   ",
    "-- nothing",
    ";",
    "not sql at all",
    "select getenv('HOME')",
]


READING = [
    "from generations",
    "select model, median(latency_s) from generations group by 1",
    "with a as (select 1 as x) select * from a",
    "describe generations",
    "explain from runs",
    "values (1)",
    "select 1;",
    "show tables",
    "summarize generations",
    "pivot generations on model in ('a', 'b') using count(*)",
]


def test_what_is_no_query_of_the_lab_is_refused(
    any_lab: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files, the network, Python's variables, settings and every kind of change are out of reach."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a\n1\n")
    with any_lab._shared.access.sealed() as reading:
        for query in FORBIDDEN:
            with pytest.raises(DefinitionError):
                pytest.fail(f"{query!r} gave {sandboxed_sql.query(reading.connection, query, None)}")
        counted = sandboxed_sql.query(reading.connection, "select count(*) as n from scores", None)
        assert counted["n"].to_pylist() == [0]
    assert not (tmp_path / "out.csv").exists()


def test_queries_that_read_work(any_lab: Store) -> None:
    """Whatever reads the lab gives a table."""
    with any_lab._shared.access.sealed() as reading:
        for query in READING:
            assert isinstance(sandboxed_sql.query(reading.connection, query, None), pa.Table)


def test_no_python_variable_can_be_read(any_lab: Store) -> None:
    """A frame in the caller's hands is not a table, whatever the frame is called."""
    local_frame = pd.DataFrame({"a": [1]})
    for name in ("local_frame", "secret_frame", "any_lab"):
        with pytest.raises(DefinitionError, match="does not exist"):
            any_lab.sql(f"from {name}")
    assert len(local_frame) == 1


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30) | st.sampled_from(
    [
        "'; drop table log.generations; --",
        '"',
        "''",
        "\0",
        "a\0b",
        "$1",
        "?",
        "%",
        "\\",
        "\ud800",
        "{}",
        "x' or '1'='1",
    ]
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE)
def test_a_bound_value_is_only_a_value(value: str, tmp_path_factory: Any, make: Any) -> None:
    """No name, filter or parameter is ever read as SQL: the tables stay what they are."""
    store = _one_lab(tmp_path_factory, make)
    found = store.generations(model=value, columns=["model"])
    assert set(found["model"]) <= {value}
    assert len(store.attempts(run=value)) == 0
    assert len(store.runs(experiment=[value])) == 0
    if "\ud800" not in value:
        count = store.sql("select count(*) as n from generations where model = ?", [value])
        assert count["n"].tolist() == [0]
    assert store.generations(columns=["generation_id"])["generation_id"].tolist() == ["g1"]
    assert store.sql("select count(*) as n from duckdb_tables() where schema_name = 'log'")["n"].tolist() == [
        20
    ]


_labs: dict[str, Store] = {}


def _one_lab(tmp_path_factory: Any, make: Any) -> Store:
    if "one" not in _labs:
        _labs["one"] = Store(tmp_path_factory.mktemp("lab") / "lab.duckdb")
        _labs["one"].writer().put(make.generation())
        _labs["one"].close()
    return _labs["one"]


def test_parameters_by_place_and_by_name(store: Store, put: Put, make: Any) -> None:
    """Values are given as a list for `?` and as a dict for `$name`."""
    put(make.generation("a", latency_s=1.0), make.generation("b", latency_s=3.0))
    assert len(store.sql("from generations where latency_s > ?", [2.0])) == 1
    assert len(store.sql("from generations where latency_s > $least", {"least": 2.0})) == 1
    with pytest.raises(DefinitionError, match="query failed"):
        store.sql("from generations where latency_s > ?")


def test_results_have_plain_types(store: Store, put: Put, make: Any) -> None:
    """Sums are numbers, times carry UTC, missing whole numbers are missing."""
    put(make.generation("a"), make.generation("b", input_tokens=None))
    frame = store.sql(
        "select sum(output_tokens) as total, max(started_at) as last, max(input_tokens) as most, "
        "1.5::decimal(10, 2) as d, null::bigint as missing, count(*) as n from generations"
    )
    assert frame.dtypes.astype(str).to_dict() == {
        "total": "Int64",
        "last": "datetime64[us, UTC]",
        "most": "Int64",
        "d": "float64",
        "missing": "Int64",
        "n": "Int64",
    }
    assert frame["total"].tolist() == [10]


def test_nothing_of_a_result_is_lost(store: Store) -> None:
    """Whole numbers beside NULL, hugeints, decimals, intervals, infinite dates, equal names come through."""
    query = (
        "select 7 as n, 9007199254740993::hugeint as h, 2::hugeint ** 100 as huge, 0.10::decimal(4, 2) as d, "
        "12345678901234567.89::decimal(30, 2) as long, interval '90 minutes' as i, 'infinity'::date as f, "
        "1 as n "
        "union all select null, null, null, null, null, null, null, null order by 1 nulls last"
    )
    frame = store.sql(query)
    assert [*frame.columns] == ["n", "h", "huge", "d", "long", "i", "f", "n_1"]
    assert frame.iloc[0].astype(str).tolist() == [
        "7",
        "9007199254740993",
        str(float(2**100)),
        "0.1",
        "12345678901234567.89",
        "01:30:00",
        "infinity",
        "1",
    ]
    assert frame.iloc[1].isna().all()
    assert [str(frame[name].dtype) for name in ("n", "h", "d")] == ["Int64", "Int64", "float64"]


def test_names_and_types_that_a_frame_cannot_hold_are_changed(store: Store) -> None:
    """Two columns of one name get numbers, past those that are taken; a union is its value's text."""
    frame = store.sql("select 1 as n, 2 as n, 3 as n_1, 4 as n, union_value(num := 5) as u")
    assert frame.astype(str).to_dict("records") == [{"n": "1", "n_2": "2", "n_1": "3", "n_3": "4", "u": "5"}]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("time '24:00'", "24:00:00"),
        ("time_ns '01:02:03.123456789'", "01:02:03.123456789"),
        ("timetz '10:00:00+02'", "10:00:00+02"),
        ("timestamp_ns '2020-01-01 00:00:00.123456789'", "2020-01-01 00:00:00.123456789"),
        ("timestamp_s 'infinity'", "infinity"),
        ("timestamp '290000-01-01'", "290000-01-01T00:00:00.000000Z"),
        ("340282366920938463463374607431768211455::uhugeint", "340282366920938463463374607431768211455"),
        ("'101'::bit", "101"),
        ("{'a': 1}::variant", "{'a': 1}"),
        ("row(1, 2)", "(1, 2)"),
        ("[date 'infinity', date '2020-01-01', null]", ["infinity", date(2020, 1, 1), None]),
        ("{'a': timestamp 'infinity', 'size': 1}", {"a": "infinity", "size": 1}),
        ("{'a \"b\"': [{'t': time '24:00', 'n': null}]}", {'a "b"': [{"t": "24:00:00", "n": None}]}),
        ("[union_value(a := 1)]", ["1"]),
        ("[interval 1 day, null]::interval[2]", ["1 day", None]),
        ("map {'a': interval 1 day}", {"a": "1 day"}),
        ("[[1, null], null]", [[1, None], None]),
        ("[2::double, null]", [2.0, None]),
    ],
)
@pytest.mark.parametrize("params", [None, {"one": 1}])
def test_a_value_that_python_has_not_is_text_and_alters_no_other(
    store: Store, value: str, wanted: object, params: Any
) -> None:
    """Times, unions, nanoseconds, structs without names … come as DuckDB writes them, also within lists,
    structs and maps, which stay such, with None for NULL and whole numbers whole."""
    one = "$one" if params else "1"
    frame = store.sql(
        f"select {value} as x, {one} as n, 2 as n union all select null, null, null; --", params
    )
    assert [*frame.columns] == ["x", "n", "n_1"]
    first, second = frame["x"].tolist()
    assert (first, type(first), pd.isna(second)) == (wanted, type(wanted), True)
    assert frame["n"].tolist() == [1, pd.NA]
    cells = store.query(f"select {value} as x").column(0)
    assert arrow_values.values(cells) == [wanted]


def test_the_order_and_the_number_of_rows_stay(store: Store) -> None:
    """Where a column is told as text, the rows are the same in the same order, in as small pieces."""
    table = store.query("select range as n, interval 1 day * range as i from range(10000) order by n desc")
    assert table["n"].to_pylist() == list(range(9999, -1, -1))
    assert table["i"].to_pylist()[:2] == ["9999 days", "9998 days"]
    assert max(len(chunk) for chunk in table["n"].chunks) <= 2048


def test_a_broken_query_names_its_fault(any_lab: Store) -> None:
    """DuckDB's own words come through, as a `DefinitionError`, not as a store's fault."""
    with pytest.raises(DefinitionError, match="nosuch") as told:
        any_lab.sql("select nosuch from generations")
    assert not isinstance(told.value, StoreError)


ENDLESS = [
    "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t",
    "select count(*) from range(1000000000000) a, range(1000000000000) b",
    "select sum(hash(a.range, b.range)) from range(10000000) a, range(10000000) b",
    "from range(1000000000000)",
    "select repeat('x', 1000) from range(1000000000000)",
]


@pytest.mark.parametrize("query", ENDLESS)
def test_a_query_that_never_ends_is_ended(any_lab: Store, query: str) -> None:
    """After the time it may take, or when it gives too much, there is an error, and the lab is free again."""
    with pytest.raises(DefinitionError, match=r"timeout_s|GB"):
        any_lab.sql(query, timeout_s=0.5)
    assert any_lab.sql("select 1 as a")["a"].tolist() == [1]


def test_a_result_larger_than_memory_is_refused(any_lab: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than may be held is an error that says what to do, before it is held."""
    monkeypatch.setattr(sandboxed_sql, "MOST_BYTES", 2**20)
    with pytest.raises(DefinitionError, match="Add a limit"):
        any_lab.sql("from range(10000000)")


TOO_MUCH_AT_ONCE = [
    "select list(range) as l from range(100000000)",
    "select range, count(*) as n from range(100000000) group by all",
    "select md5(range::varchar) as h from range(100000000) order by h",
]


@pytest.mark.parametrize("query", TOO_MUCH_AT_ONCE)
def test_a_query_that_needs_too_much_memory_is_refused(
    any_lab: Store, monkeypatch: pytest.MonkeyPatch, query: str, tmp_path: Path
) -> None:
    """DuckDB takes no more than its share and writes none of it beside the lab; the error names no setting
    that nobody can change, and the lab is free again."""
    monkeypatch.setattr(sandboxed_sql, "MOST_BYTES", 64 * 2**20)
    with pytest.raises(DefinitionError, match="more memory") as told:
        any_lab.sql(query)
    assert "SET" not in str(told.value)
    assert not list(tmp_path.rglob("*.tmp"))
    assert any_lab.sql("select 1 as a")["a"].tolist() == [1]


def test_a_result_is_looked_at_vector_by_vector(any_lab: Store) -> None:
    """A large text in each row does not come in a hundred thousand rows at once: the size and the time are
    looked at in between."""
    column = any_lab.query("from range(10000)").column(0)
    assert max(len(chunk) for chunk in column.chunks) <= 2048
    assert column.to_pylist() == list(range(10000))


def test_a_query_gets_half_of_a_small_machine(any_lab: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DuckDB may take by itself is most of the machine; a person's query may take half of that."""
    monkeypatch.setattr(sandboxed_sql, "MOST_BYTES", 2**60)
    whole = sandboxed_sql._memory_limit_bytes(duckdb.connect())
    with any_lab._shared.access.sealed() as reading:
        assert sandboxed_sql._memory_limit_bytes(reading.connection) == pytest.approx(whole / 2, rel=0.02)


def test_macros_of_somebody_else_do_not_set_the_limits() -> None:
    """What a lab calls by the names of DuckDB's own functions is not asked how much memory there is."""
    connection = duckdb.connect()
    connection.execute("""
        create macro current_setting(name) as '9.0 PiB';
        create macro duckdb_memory() as table select 99999999999999 as memory_usage_bytes;
        set memory_limit = '3GiB'
    """)
    sandboxed_sql.seal(connection)
    assert sandboxed_sql._memory_limit_bytes(connection) == pytest.approx(1.5 * 2**30, rel=0.05)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), None, "1", True])
def test_a_time_that_is_none_is_refused(any_lab: Store, timeout_s: Any) -> None:
    """The time a query may take is a number of seconds above 0."""
    with pytest.raises(DefinitionError, match="timeout_s"):
        any_lab.sql("select 1", timeout_s=timeout_s)
    assert len(any_lab.sql("select 1", timeout_s=float("inf"))) == 1


@pytest.mark.parametrize(
    "query", ["select '\ud800'", "select 1 -- \x00", "\x00", "select '\x00'", "(" * 5000, "\ud800"]
)
def test_half_characters_and_nul_in_a_query(any_lab: Store, query: str) -> None:
    """They are an error of labkit's, or an answer."""
    with contextlib.suppress(DefinitionError):
        any_lab.sql(query)
    with pytest.raises(DefinitionError):
        any_lab.sql("select ?", ["\ud800"])
    with pytest.raises(DefinitionError):
        any_lab.sql("select $\ud800", {"\ud800": 1})
