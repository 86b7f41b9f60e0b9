"""Four machines share a lab while they are killed, stopped and cut off, their server restarted and its disk
full: what was acknowledged is everywhere, once, and nobody who puts waits for it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from labkit.store import Store
from tests.faults.failing_postgresql import FailingServer, started_failing
from tests.faults.network_namespaces import Namespaces, hindrance
from tests.proxy import Proxy
from tests.store.exchange.conftest import leave

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="it stops processes by signals"),
]
MACHINE = Path(__file__).with_name("shared_machine.py")
MACHINES = 4
CALLS_PER_S = 10.0
ONE_WAY_S, LOSS = 0.025, 0.05
CLOCKS_S = (0.0, -3_600.0, 45.0, 0.0)
"""How far the clock of each machine is wrong."""
ARRIVED_S = 60.0
TABLES = {
    "run": "runs",
    "intent": "intents",
    "attempt": "attempts",
    "generation": "generations",
    "score": "scores",
}
_NAMES = " union all ".join(
    f"select '{kind}' as kind, {'run_id' if kind == 'run' else 'generation_id'} as name from {{log}}.{table}"
    for kind, table in TABLES.items()
)


class Network:
    """Between the machines and the server: namespaces with bad links, or else proxies in this process."""

    def __init__(self, server: FailingServer, seed: int) -> None:
        self._server = server
        self.why_not = hindrance()
        self._spaces: Namespaces | None = None
        self._proxies: list[Proxy] = []
        if self.why_not is None:
            self._spaces = Namespaces(MACHINES, delay_s=ONE_WAY_S, loss=LOSS, seed=seed)
        else:
            for _ in range(MACHINES):
                proxy = Proxy(lambda: socket.create_connection(("127.0.0.1", server.port)))
                proxy.delay_s = ONE_WAY_S
                self._proxies.append(proxy)

    def inside(self, number: int) -> list[str]:
        return [] if self._spaces is None else self._spaces.inside(number)

    def url(self, number: int) -> str:
        if self._spaces is None:
            host, port = "127.0.0.1", self._proxies[number].port
        else:
            host, port = self._spaces.host(number), self._server.port
        return f"postgresql://postgres@{host}:{port}/postgres?sslmode=disable"

    def down(self, number: int) -> None:
        self._spaces.down(number) if self._spaces else self._proxies[number].freeze()

    def up(self, number: int) -> None:
        self._spaces.up(number) if self._spaces else self._proxies[number].mend()

    def close(self) -> None:
        for one in (self._spaces, *self._proxies):
            if one is not None:
                one.close()


@dataclass
class Machine:
    """A machine of the test, through all its processes."""

    number: int
    home: Path
    network: Network
    process: subprocess.Popen[str] | None = None
    stops: list[tuple[float, float]] = field(default_factory=list)

    @property
    def lab(self) -> Path:
        return self.home / "lab.duckdb"

    @property
    def acknowledged(self) -> Path:
        return self.home / "acknowledged"

    def start(self) -> None:
        with (self.home / "said").open("a") as said:
            self.process = subprocess.Popen(
                [
                    *self.network.inside(self.number),
                    *(sys.executable, str(MACHINE), str(self.lab), self.network.url(self.number)),
                    *(
                        f"m{self.number}",
                        str(self.acknowledged),
                        str(CALLS_PER_S),
                        str(CLOCKS_S[self.number]),
                    ),
                ],
                env={**os.environ, "HOME": str(self.home)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate()

    def stopped(self, seconds: float) -> None:
        assert self.process is not None
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)  # so long it stands still: that is the fault
        self.process.send_signal(signal.SIGCONT)
        self.stops.append((began_s, time.monotonic()))

    def quiet(self) -> None:
        """It writes no more; what it put is on disk."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "quiet\n", (self.home / "said").read_text()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def notes(self) -> Iterator[tuple[str, str, float, float | None, float]]:
        if self.acknowledged.exists():
            for line in self.acknowledged.read_text().splitlines():
                yield tuple(json.loads(line))

    def stored(self) -> Counter[tuple[str, str]]:
        """What was acknowledged here."""
        return Counter((kind, name) for kind, name, *_ in self.notes() if kind in TABLES)

    def latencies_s(self) -> list[float]:
        """From put to stored, of all that was put while the machine was not stopped."""
        return sorted(
            took_s
            for kind, _, put_s, _, took_s in self.notes()
            if kind in TABLES
            and not any(began <= put_s + took_s and put_s <= end + 0.1 for began, end in self.stops)
        )


def storm(
    machines: list[Machine], server: FailingServer, seconds: float, restarts: int, seed: int
) -> Counter[str]:
    """One fault after the other, at random, for so long; gives how often each was."""
    chance = random.Random(seed)
    network = machines[0].network
    began_s = time.monotonic()
    done: Counter[str] = Counter()
    full_s = began_s + seconds / 3 if server.has_own_disk else float("inf")
    down: dict[int, float] = {}
    while (now_s := time.monotonic()) < began_s + seconds or done["restart"] < restarts:
        for number in [number for number, until_s in down.items() if now_s >= until_s]:
            network.up(number)
            del down[number]
        if now_s >= full_s:
            server.fill_disk()
            time.sleep(chance.uniform(2, 4))  # so long the disk is full
            server.make_room()
            full_s = float("inf")
            done["full"] += 1
        due = restarts * (now_s - began_s) / seconds
        what = "restart" if done["restart"] < due else chance.choice(["kill", "stop", "cut", "nothing"])
        machine = chance.choice(machines)
        if what == "restart":
            server.restart()
        elif what == "kill":
            machine.kill()
            machine.start()
        elif what == "stop":
            machine.stopped(chance.uniform(0.2, 3))
        elif what == "cut" and machine.number not in down:
            network.down(machine.number)
            down[machine.number] = now_s + chance.uniform(1, 8)
        done[what] += 1
        time.sleep(chance.uniform(0.1, 1.0))  # the moment of the next fault is to be any
    for number in down:
        network.up(number)
    return done


def rows(machine: Machine) -> list[tuple[str, str]]:
    """What a machine's lab has, as a process of its own reads it."""
    store = Store(machine.lab, wait_s=30.0)
    table = store.table(_NAMES.format(log="log"))
    leave(store)
    return list(zip(table["kind"].to_pylist(), table["name"].to_pylist(), strict=True))


def there(server: FailingServer) -> list[tuple[str, str]]:
    """What the server has; nothing, where no machine has come to make its tables."""
    with contextlib.suppress(psycopg.errors.UndefinedTable):
        return server.sql(_NAMES.format(log="labkit_log"))
    return []


def twice(machine: Machine) -> list[Any]:
    """The lines that a lab has more than once, by process and stamp."""
    store = Store(machine.lab, wait_s=30.0)
    found = [
        row
        for table in TABLES.values()
        for row in store.table(
            f"select '{table}' as t, written_by, written_at, count(*) as n from log.{table}"
            " group by all having n > 1"
        ).to_pylist()
    ]
    leave(store)
    return found


def through_a_storm(
    folder: Path, seconds: float, restarts: int, seed: int, say: Callable[[str], None]
) -> tuple[list[float], Counter[str]]:
    """Four machines, and all that must be true after it. Gives how long puts took."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(started_failing("-clog_statement=all", "-cdeadlock_timeout=200ms"))
        network = Network(server, seed)
        stack.callback(network.close)
        machines = []
        for number in range(MACHINES):
            home = folder / f"m{number}"
            home.mkdir()
            machines.append(Machine(number, home, network))
            stack.callback(machines[-1].end)
            machines[-1].start()
        while not all(machine.stored() for machine in machines):
            time.sleep(0.1)  # until each writes
        faults = storm(machines, server, seconds, restarts, seed)
        last_s = time.monotonic()
        for machine in machines:
            machine.quiet()
        acknowledged = sum((machine.stored() for machine in machines), Counter())
        assert max(acknowledged.values()) == 1
        for machine in machines:
            own = set(machine.stored())
            assert not own - set(rows(machine)), f"{machine.home.name} lost what it had acknowledged"
        arrived = {}
        while len(arrived) <= MACHINES:
            time.sleep(0.2)  # until all arrived
            after_s = time.monotonic() - last_s
            sent = there(server)
            lacking = {"server": set(acknowledged) - set(sent)}
            lacking |= {machine.home.name: set(acknowledged) - set(rows(machine)) for machine in machines}
            for name, lacks in lacking.items():
                if not lacks:
                    arrived.setdefault(name, round(after_s, 1))
            assert after_s < ARRIVED_S, (
                {name: sorted(lacks)[:3] for name, lacks in lacking.items()},
                {machine.home.name: (machine.home / "said").read_text()[-800:] for machine in machines},
                server.log()[-2_000:],
            )
        assert max(Counter(there(server)).values()) == 1
        for machine in machines:
            assert twice(machine) == []
            assert not [note for note in machine.notes() if note[0] == "wrong"]
        said = server.log()
        assert "deadlock detected" not in said
        assert "copy pg_temp.labkit_lines" in said
        assert not re.search("notify|listen [a-z]", said, re.IGNORECASE)
        say(
            f"\n{MACHINES} machines for {seconds:.0f} s (seed {seed}), "
            + (f"behind proxies: {network.why_not}" if network.why_not else "in namespaces")
            + ("" if server.has_own_disk else "; no disk could be filled")
            + f": {dict(faults)}; {sum(acknowledged.values())} lines acknowledged, 0 lost, 0 twice; "
            f"all arrived after (s) {arrived}; {figures(machines)}"
        )
        return sorted(one for machine in machines for one in machine.latencies_s()), faults


def figures(machines: list[Machine]) -> str:
    """How long puts and readings took."""
    notes = [note for machine in machines for note in machine.notes()]
    stored_s = sorted(one for machine in machines for one in machine.latencies_s())
    calls_s = sorted(note[3] for note in notes if note[3] is not None)
    reads_s = sorted(note[4] for note in notes if note[0] == "read")
    failed = Counter(note[1] for note in notes if note[0] == "failed")
    return (
        f"stored after p50 {_ms(stored_s, 0.5)} p99 {_ms(stored_s, 0.99)} most {_ms(stored_s, 1)} ms; put()"
        f" returned after p99 {_ms(calls_s, 0.99)} ms; {len(reads_s)} readings p50 {_ms(reads_s, 0.5)} p99"
        f" {_ms(reads_s, 0.99)} ms, failed: {dict(failed)}"
    )


def _ms(sorted_s: list[float], share: float) -> str:
    return f"{sorted_s[min(len(sorted_s) - 1, int(share * len(sorted_s)))] * 1_000:.1f}" if sorted_s else "-"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints, whatever is captured."""

    def aloud(words: str) -> None:
        with capsys.disabled():
            print(words)

    return aloud


def test_a_short_storm(tmp_path: Path, say: Callable[[str], None]) -> None:
    """After 20 s of faults all that was acknowledged is on the server and on every machine within a minute,
    once."""
    through_a_storm(tmp_path, 20.0, 4, 16, say)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_long_storm(tmp_path: Path, say: Callable[[str], None]) -> None:
    """The same for a minute, or as many seconds as `LABKIT_STORM_S` says, with 20 restarts of the server; 99
    of 100 lines are stored within 50 ms."""
    seed = random.SystemRandom().randrange(2**30)
    seconds = float(os.environ.get("LABKIT_STORM_S", "60"))
    latencies_s, faults = through_a_storm(tmp_path, seconds, 20, seed, say)
    assert faults["restart"] >= 20
    assert latencies_s[int(0.99 * len(latencies_s))] < 0.05
