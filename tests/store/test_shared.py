"""Many processes that write and read one lab at once get on with each other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit.store import Store

pytestmark = pytest.mark.alone

SHARER = Path(__file__).with_name("sharer.py")
WRITERS, READERS = 4, 2


def together(lab: Path, seconds: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What four writers and two readers saw, which began in one moment."""
    command = [sys.executable, str(SHARER)]
    roles = ["write"] * WRITERS + ["read"] * READERS
    processes = [
        subprocess.Popen(
            [*command, role, str(lab), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for role in roles
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [json.loads(process.communicate(timeout=seconds + 120)[0]) for process in processes]
    return said[:WRITERS], said[WRITERS:]


@pytest.mark.parametrize(
    ("seconds", "worst_s"),
    [pytest.param(15.0, 3.0), pytest.param(60.0, 1.0, marks=[pytest.mark.soak, pytest.mark.timeout(300)])],
)
def test_nobody_starves(
    seconds: float, worst_s: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of four writers the slowest has half as much as the fastest or more, no put waits long, what two
    readers count never goes back, all is there at the end, and the lab is smaller than twice its data."""
    lab = tmp_path / "lab.duckdb"
    writers, readers = together(lab, seconds)
    rows = [one["rows"] for one in writers]
    data_bytes = sum(one["bytes"] for one in writers)
    store = Store(lab)
    found = store.table(
        "select count(*) as n, count(distinct generation_id) as d from generations"
    ).to_pylist()
    store.checkpoint()
    store.close()
    lab_bytes = sum(
        path.stat().st_size for path in tmp_path.rglob("*") if path.is_file() and path.name != "reserve"
    )
    with capsys.disabled():
        worst = max(one["worst_s"] for one in writers)
        looks = [one["looks"] for one in readers]
        print(
            f"\n{rows} rows, worst put {worst:.2f} s, {looks} looks, {lab_bytes / data_bytes:.2f} × the data"
        )
    assert found == [{"n": sum(rows), "d": sum(rows)}]
    assert min(rows) >= max(rows) / 2
    assert all(one["worst_s"] < worst_s for one in writers)
    assert all(one["back"] == 0 and one["looks"] > 1 for one in readers)
    assert lab_bytes < 2 * data_bytes
