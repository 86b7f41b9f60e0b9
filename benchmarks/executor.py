"""What labkit's engine costs, beside hand-written loops over the same SDKs and a bare HTTP client.

    python benchmarks/executor.py            the whole table, about 30 minutes
    python benchmarks/executor.py --quick    256 in flight only, fewer requests: some 5 minutes

One loopback server in a process of its own; every contender asks it in a process of its own, in
alternation (A B C … C B A), one core for the client. The CPU is that of the whole client process, all its
threads, in the timed section: imports, clients and the first requests come before it. At the end stands
every figure that is asked for, with what is asked.

- `bare`       aiohttp on uvloop, the JSON of every answer or event parsed, nothing kept
- `openai`     the OpenAI SDK, typed, its default transport, gather and a semaphore
- `anthropic`  the Anthropic SDK, the same
- `labkit`     the executor and the store's journal: every generation on disk (fdatasync) before it counts
- `labkit-anthropic`  the same in the other dialect
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import contenders
import first_token
import loopback

MODES = {"plain": 0, "stream-32": 32, "stream-300": 300}
WHO = ("bare", "openai", "anthropic", "labkit", "labkit-anthropic")
SDKS = ("openai", "anthropic")
LATENCY_S = {"plain": 0.05, "stream-32": 0.5, "stream-300": 3.0}
"""Of the server, up to 256 in flight; beyond that longer in proportion, or the server would be what is
measured. Streams have a provider's pace, an event every 10 to 15 ms, so that events arrive one by one."""
COUNTS = {
    "plain": {32: 3000, 256: 10_000, 1000: 10_000},
    "stream-32": {256: 3000, 1000: 3000},
    "stream-300": {32: 320, 256: 1536, 1000: 2000},
}
"""Requests a measurement, by how many are in flight."""
QUICK = 1000
TARGETS = {
    "plain": ("bare", "≤ 6×", "≤ 4×"),
    "stream-32": ("openai", "≤ 0.25×", "≤ 0.15×"),
    "stream-300": ("bare", "≤ 2.5×", "≤ 1.5×"),
}
"""Against whom, how much at most, and how much is aimed at."""

Cpu = dict[tuple[str, int], dict[str, float]]
"""Milliseconds of CPU a generation, by mode and number in flight, then by contender."""


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--count", type=int, default=0, help="requests a measurement, whatever is measured")
    parser.add_argument("--repeats", type=int, default=1, help="rounds there and back")
    parser.add_argument("--in-flight", type=int, nargs="*", default=None)
    parser.add_argument("--modes", nargs="*", default=list(MODES), choices=list(MODES))
    parser.add_argument("--who", nargs="*", default=list(WHO), choices=WHO)
    parser.add_argument("--no-memory", action="store_true", help="leave out the memory of 10,000 generations")
    parser.add_argument("--no-first-token", action="store_true", help="leave out the time to first token")
    parser.add_argument("--one", nargs=5, metavar=("WHO", "MODE", "IN_FLIGHT", "COUNT", "BASE"))
    parser.add_argument("--profile", metavar="FILE", help="with --one: a cProfile of the timed section")
    options = parser.parse_args()
    if options.one:
        who, mode, in_flight, count, base = options.one
        print(json.dumps(measure(who, mode, int(in_flight), int(count), base, options.profile)))
        return
    quick = options.quick
    cpu: Cpu = {}
    first_ms: float | None = None
    peaks: list[float] = []
    with loopback.running() as base:
        contenders.pin_server_away()
        for mode in options.modes:
            for level in options.in_flight or ([256] if quick else list(COUNTS[mode])):
                count = options.count or (QUICK if quick else COUNTS[mode].get(level, 3000))
                # Three hundred typed events cost an SDK 30 ms: once is enough to know it.
                slow = mode == "stream-300" and level != 256
                who = [name for name in options.who if not (slow and name in SDKS)] or options.who
                cpu[mode, level] = table(mode, level, rounds(who, mode, level, count, options.repeats, base))
        if not options.no_first_token:
            first_ms = first_token.table(base, QUICK if quick else first_token.COUNT, 1)
        if not options.no_memory and "labkit" in options.who:
            peaks = memory(base, [10_000] if quick else [10_000, 50_000])
    summary(cpu, first_ms, peaks)


def rounds(
    who: list[str], mode: str, level: int, count: int, repeats: int, base: str
) -> dict[str, list[dict[str, float]]]:
    """Every contender in turn, there and back again."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    for _ in range(repeats):
        for name in [*who, *reversed(who)]:
            # The SDKs' cost of one request does not depend on how many came before, and they are slow.
            fewer = count // 4 if name in SDKS else count
            found[name].append(run_one(name, mode, level, max(fewer, level), base))
    return found


def run_one(who: str, mode: str, level: int, count: int, base: str) -> dict[str, float]:
    """One contender, measured in a process of its own on the first core."""
    command = [__file__, "--one", who, mode, str(level), str(count), base]
    return contenders.alone(command, f"{who} {mode}")


def table(mode: str, level: int, found: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Print one comparison: medians, and ratios to the bare client and to the OpenAI SDK. Gives the CPU."""
    medians = {
        who: {name: statistics.median(one[name] for one in figures) for name in figures[0]}
        for who, figures in found.items()
    }
    print(f"\n{mode}, {level:,} in flight (medians of {len(next(iter(found.values())))})")
    print(f"{'':18}{'CPU ms':>9}{'per s':>9}{'x bare':>9}{'x openai':>10}{'RSS MB':>9}")
    for who, one in medians.items():
        ratios = [
            f"{one['cpu_ms'] / medians[other]['cpu_ms']:.2f}" if other in medians else "-"
            for other in ("bare", "openai")
        ]
        print(
            f"{who:18}{one['cpu_ms']:9.3f}{one['per_s']:9,.0f}{ratios[0]:>9}{ratios[1]:>10}{one['rss_mb']:9.0f}",
            flush=True,
        )
    return {who: one["cpu_ms"] for who, one in medians.items()}


def memory(base: str, counts: list[int]) -> list[float]:
    """Print and give the peak memory of labkit at so many generations."""
    peaks = [run_one("labkit", "plain", 256, count, base)["rss_mb"] for count in counts]
    print(
        "\nlabkit, peak RSS: "
        + ", ".join(f"{n:,} generations {p:.0f} MB" for n, p in zip(counts, peaks, strict=True))
    )
    return peaks


def summary(cpu: Cpu, first_ms: float | None, peaks: list[float]) -> None:
    """Print every figure that was measured beside what is asked of it."""
    lines = [_against(cpu, mode, level) for mode, level in cpu]
    lines += [_growth(cpu, "labkit", "≤ 1.5×", "≤ 1.2×"), _growth(cpu, "bare", "", "")]
    if first_ms is not None:
        lines.append(("added TTFT at 256 streams, p99", f"{first_ms:.1f} ms", "≤ 30 ms", "≤ 10 ms"))
    if peaks:
        lines.append(("peak memory at 10,000", f"{peaks[0]:.0f} MB", "≤ 250 MB", "≤ 200 MB"))
    if len(peaks) > 1:
        lines.append(("growth from 10,000 to 50,000", f"{peaks[1] - peaks[0]:+.0f} MB", "≤ 50 MB", "≤ 20 MB"))
    print(f"\n{'figure':52}{'measured':>10}{'must':>10}{'aim':>10}")
    for line in lines:
        if line is not None:
            print(f"{line[0]:52}{line[1]:>10}{line[2]:>10}{line[3]:>10}")


def _against(cpu: Cpu, mode: str, level: int) -> tuple[str, str, str, str] | None:
    found, (other, must, aim) = cpu[mode, level], TARGETS[mode]
    if "labkit" not in found or other not in found:
        return None
    ratio = found["labkit"] / found[other]
    return f"CPU, {mode}, {level:,} in flight / {other}", f"{ratio:.2f}×", must, aim


def _growth(cpu: Cpu, who: str, must: str, aim: str) -> tuple[str, str, str, str] | None:
    many, fewer = cpu.get(("plain", 1000), {}).get(who), cpu.get(("plain", 256), {}).get(who)
    if many is None or fewer is None:
        return None
    return f"CPU, plain, 1,000 in flight / 256: {who}", f"{many / fewer:.2f}×", must, aim


def measure(who: str, mode: str, level: int, count: int, base: str, profile: str | None) -> dict[str, float]:
    """One contender's figures, in this process."""
    ms = int(LATENCY_S[mode] * max(1.0, level / 256) * 1000)
    address = f"{base}/l{ms}/e{MODES[mode] or 1}"
    stream = bool(MODES[mode])
    if who.startswith("labkit"):
        dialect = "anthropic" if who.endswith("anthropic") else "openai"
        cpu, wall = contenders.labkit(dialect, stream, level, count, address, profile)
    else:
        asks = {
            "bare": contenders.bare,
            "openai": contenders.openai_sdk,
            "anthropic": contenders.anthropic_sdk,
        }
        cpu, wall = asks[who](stream, level, count, address)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_ms": cpu / count * 1000, "per_s": count / wall, "rss_mb": rss}


if __name__ == "__main__":
    main()
