"""``python -m benchmarks profile NAME``: which operations a unit of work is made of."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile

from audiolcm.errors import UserError
from benchmarks.speed.case import read_case
from benchmarks.speed.results import Result, folder_of, write_text
from benchmarks.speed.work import Stages
from benchmarks.speed.worker import Finished, make_work

NUM_SHOWN = 10
UNITS = 3


def traced(name: str, words: Sequence[str], trace: Path) -> list[dict[str, Any]]:
    """Write a chrome trace of a few units of a case, and return its costliest operations.

    Args:
        name: of the case.
        words: overrides of the configuration.
        trace: the file, which chrome://tracing and Perfetto open.

    Raises:
        UserError: the case is a command, whose operations are in another process.
    """
    work = make_work(name, list(words))
    if work.flops == 0.0:
        raise UserError(
            f"{name} is a command of its own: profile what it is made of, such as synthesis-tiny."
        )
    device = work.hardware.torch_device().type
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    recorder = profile(activities=activities, acc_events=True)
    done = 0

    def tick(stages: Stages) -> None:
        nonlocal done
        done += 1
        if done == work.warm_up:
            recorder.start()
        if done == work.warm_up + UNITS:
            recorder.stop()
            raise Finished

    try:
        work.loop(tick)
    except Finished:
        trace.parent.mkdir(parents=True, exist_ok=True)
        recorder.export_chrome_trace(str(trace))
    return _costliest(recorder, device)


def _costliest(recorder: profile, device: str) -> list[dict[str, Any]]:
    kind = f"self_{device}_time_total" if device == "cpu" else "self_device_time_total"
    events = sorted(recorder.key_averages(), key=lambda event: -getattr(event, kind))
    total = sum(getattr(event, kind) for event in events)
    return [
        {
            "operation": event.key,
            "seconds": getattr(event, kind) / 1e6 / UNITS,
            "share": getattr(event, kind) / total,
            "calls": event.count / UNITS,
        }
        for event in events[:NUM_SHOWN]
    ]


def write_profile(name: str, words: Sequence[str], results: Path, traces: Path) -> tuple[Path, str]:
    """Profile a case, keep the table beside the results; return where the trace is, and the table for people."""
    name = read_case(name).name
    trace = traces / f"{name}.trace.json"
    operations = traced(name, words, trace)
    result = Result(name, "Profile", "", [])
    told = {"name": name, "commit": result.machine["commit"], "operations": operations}
    path = folder_of(result, results) / "profiles" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(told, indent=1) + "\n")
    return trace, table(operations)


def table(operations: Sequence[dict[str, Any]]) -> str:
    """Return operations as a Markdown table."""
    lines = ["| operation | ms | share | calls |", "|---|---:|---:|---:|"]
    lines += [
        f"| `{one['operation']}` | {1e3 * one['seconds']:.2f} | {one['share']:.0%} | {one['calls']:.0f} |"
        for one in operations
    ]
    return "\n".join(lines) + "\n"
