"""``python -m experiments list`` and ``run``: what there is, what it would run, and running it."""

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiolcm.configuration.words import in_shell
from audiolcm.environment.interrupts import run_and_hand_on
from audiolcm.errors import UserError
from audiolcm.sweeps.row_sweeper import ENTRIES, SCALE_WORD, SCALES, chosen, parsed, settings_of
from experiments.items.catalog import STEMS, item_of
from experiments.records.planned import PlannedJob, planned

ROOT = Path(__file__).resolve().parents[2]
Scripts = dict[str, tuple[list[PlannedJob], list[str]]]
_OF_NO_INTEREST = ("paths", "logger", "row", "scale", "preview")


def list_items(given: Namespace) -> int:
    """Say what items there are, and of how many rows and jobs each consists."""
    for stem in STEMS:
        item = item_of(stem)
        sys.stdout.write(f"{stem}: {item.paper_item}, {item.title}\n")
        for scale in SCALES:
            counts = Counter(job.entry for job in planned(stem, scale))
            words = [f"{counts[entry]} to {entry}" for entry in ENTRIES if entry in counts]
            sys.stdout.write(f"  {scale}: {', '.join(words)}\n" if words else "")
    sys.stdout.write("What a command needs: the first lines of conf/experiment/NAME.yaml.\n")
    return 0


def run(given: Namespace) -> int:
    """Run an item: first what it trains, then what it evaluates, both also when a row failed; return the exit code.

    A dry run only prints each job with what sets it apart.

    Raises:
        UserError: there is no such item, it has nothing at this scale, a script has no such row, or, of a dry run,
            a job does not compose.
    """
    stem, scale, words = item_of(given.name).stem, given.scale, given.words
    jobs = planned(stem, scale)
    if any(word.rpartition(":")[2].startswith(("profile=", "scale=")) for word in words):
        raise UserError(f"Give the scale as --scale {' or --scale '.join(SCALES)}.")
    if not jobs:
        raise UserError(
            f"Nothing to run at this scale ({scale}): python -m experiments list says what there is."
        )
    scripts = _scripts(jobs, words)
    _check_rows(stem, scripts)
    if given.dry_run:
        sys.stdout.write("\n".join(_page(stem, scripts)) + "\n")
        return 0
    codes = []
    for entry, (_, own) in scripts.items():
        place = [f"{SCALE_WORD[entry]}={scale}"] if scale != SCALES[0] else []
        command = [f"{entry}.py", f"+experiment={stem}", *place, *own]
        sys.stderr.write(f"python {' '.join(map(in_shell, command))}\n")
        codes.append(run_and_hand_on([sys.executable, str(ROOT / command[0]), *command[1:]]))
        if codes[-1] > 128:  # a signal: whoever stopped it wants no more
            break
    failed = [code for code in codes if code]
    if failed and failed[-1] <= 128:  # of a signal nobody has to be told
        sys.stderr.write(
            "Not everything went well: see above. The same command goes on, and skips what is done.\n"
        )
    return failed[0] if failed else 0


def _scripts(jobs: Sequence[PlannedJob], words: Sequence[str]) -> Scripts:
    """Return the scripts that have jobs, the one that trains first, each with these and its words.

    Words with ``train:`` or ``evaluate:`` before them are for that script only.
    """
    scripts: Scripts = {}
    for entry, other in (ENTRIES, ENTRIES[::-1]):
        if own := [job for job in jobs if job.entry == entry]:
            given = [word.removeprefix(f"{entry}:") for word in words if not word.startswith(f"{other}:")]
            scripts[entry] = own, given
    return scripts


def _check_rows(stem: str, scripts: Scripts) -> None:
    """Refuse a row that a script does not have, and a word that is wrong, before either of them runs.

    Raises:
        UserError: it names the script, its rows, and how to choose for one script; or the word.
    """
    for entry, (jobs, words) in scripts.items():
        given = parsed(words)
        try:
            chosen(jobs, [word for word in given if word.get_key_element() == "row"], stem)
        except UserError as error:
            raise UserError(
                f"{entry}.py: {error} row=NAME is for each script; train:row=NAME and evaluate:row=NAME are for one."
            ) from error
        job, overrides = chosen(jobs, given, stem)[0]
        settings_of(entry, job.scale, stem, overrides)


def _page(stem: str, scripts: Scripts) -> list[str]:
    """Return a line for each job with its resolved settings where these are not the same in all jobs of its script."""
    lines = []
    for entry, (jobs, words) in scripts.items():
        own = chosen(jobs, parsed(words), stem)
        settings = [_flat(settings_of(entry, job.scale, stem, overrides)) for job, overrides in own]
        differ = sorted({k for s in settings for k in s if any(other.get(k) != s[k] for other in settings)})
        for (job, _), flat in zip(own, settings, strict=True):
            found = ", ".join(f"{key}={flat[key]}" for key in differ if key in flat)
            lines.append(f"{job.command}\n    {found or 'alone'}")
    return lines


def _flat(node: Any, path: str = "") -> dict[str, str]:
    if isinstance(node, Mapping) and node:
        inner = [_flat(value, f"{path}.{name}" if path else str(name)) for name, value in node.items()]
        return {key: value for part in inner for key, value in part.items()}
    return {} if path.split(".")[0] in _OF_NO_INTEREST else {path: str(node)}
