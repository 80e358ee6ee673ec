"""``python -m benchmarks render``: ``docs/performance.md`` from the results."""

import json
import shutil
from argparse import Namespace
from pathlib import Path

from audiolcm.environment.terminal import say
from benchmarks.speed.catalog import CONTESTS
from benchmarks.speed.figures import Machine
from benchmarks.speed.results import RESULTS, Result, newest, read_all, write_text
from benchmarks.speed.tables import section
from benchmarks.speed.targets import targets_table
from benchmarks.speed.tracing import table
from benchmarks.speed.versions import ROOT

PAGE = ROOT / "docs" / "performance.md"
PICTURES = "images/performance"
HEAD, OLDER = "page.md", "older.md"
"""What people wrote, beside the results: how the page begins, and figures that no result holds."""


def render(given: Namespace) -> int:
    """Write the page and copy its pictures."""
    results = given.results
    write_text(PAGE, page(results))
    folder = PAGE.parent / PICTURES
    shutil.rmtree(folder, ignore_errors=True)
    for path, result in shown(results):
        if result.axis:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path.with_suffix(".svg"), folder / _picture(path))
    say(f"Written: {PAGE}\n")
    return 0


def page(results: Path = RESULTS) -> str:
    """Return the text of the page."""
    found = shown(results)
    by_name: dict[str, list[Result]] = {}
    for _, result in found:
        by_name.setdefault(result.machine_name, []).append(result)
    machines = [Machine(of_one) for of_one in by_name.values()]
    parts = [_written(results / HEAD), "## Targets", targets_table(machines)]
    for name, of_one in by_name.items():
        parts.append(f"## {name}")
        parts += [section(one, f"{PICTURES}/{_picture(path)}") for path, one in found if one in of_one]
    profiles = sorted(results.glob("*/profiles/*.json"))
    parts += ["## Where the time goes"] * bool(profiles) + [_profile(path) for path in profiles]
    return "\n\n".join([*parts, _written(results / OLDER)]).rstrip() + "\n"


def shown(results: Path) -> list[tuple[Path, Result]]:
    """Return the newest result of each contest on each machine, in the order of the catalog."""
    found = read_all(results)
    kept = list(map(id, newest([result for _, result in found]).values()))
    order = {name: number for number, name in enumerate(CONTESTS)}
    return sorted(
        ((path, result) for path, result in found if id(result) in kept),
        key=lambda one: (one[1].machine_name, order.get(one[1].name, len(order)), one[1].file_stem),
    )


def _picture(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}.svg"


def _written(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip()


def _profile(path: Path) -> str:
    told = json.loads(path.read_text(encoding="utf-8"))
    head = f"`python -m benchmarks profile {told['name']}`, code {told['commit']}:"
    return f"{head}\n\n{table(told['operations'])}".rstrip()
