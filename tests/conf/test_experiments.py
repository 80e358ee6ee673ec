"""Every table and figure of the paper as conf/experiment plans it: all of it composes, and no two rows are the same."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from audiolcm.configuration.fingerprint import settings_fingerprint
from audiolcm.configuration.schema import resolve, to_plain
from audiolcm.sweeps.row_sweeper import ENTRIES, SCALE_WORD, SCALES, settings_of
from evaluation.run import SECTIONS as EVALUATION
from evaluation.run import checked
from experiments.items.catalog import STEMS, item_of
from experiments.items.item import TableItem
from experiments.records.planned import CONF, PlannedJob, planned
from experiments.records.records import Result
from experiments.running.collect import _TRAINING

FILES = {path.stem: path for path in sorted(CONF.glob("*.yaml"))}
SCRIPTS = [
    (stem, entry, scale)
    for stem, entry, scale in itertools.product(FILES, ENTRIES, SCALES)
    if any(job.entry == entry for job in planned(stem, scale))
]
HEADINGS = ("Paper item", "Command", "Hardware", "Hours")
COMMAND = re.compile(r"python (?:-m experiments|\w+\.py)(?: [^\s()]+)*")
"""Up to two spaces or a bracket; other words of the sentence behind it may be in it, options have an equals sign."""


def jobs_of(stem: str, entry: str, scale: str) -> list[PlannedJob]:
    return [job for job in planned(stem, scale) if job.entry == entry]


@cache
def settings(job: PlannedJob) -> dict[str, Any]:
    return settings_of(job.entry, job.scale, job.item, job.overrides)


@dataclass(frozen=True)
class Composed:
    """What tells jobs of a script apart: their settings, and what they take from elsewhere."""

    settings: str
    sources: tuple[str | None, ...]


def composed(plain: dict[str, Any]) -> Composed:
    return Composed(settings_fingerprint(plain), tuple(plain.get(name) for name in ("checkpoint", "path")))


def legal(plain: dict[str, Any], entry: str) -> None:
    """Raise what the script would raise of settings."""
    if entry == "train":
        resolve(OmegaConf.create(plain))
    else:
        checked(to_plain(OmegaConf.create(plain), EVALUATION))


def twins(plains: Sequence[dict[str, Any]]) -> list[str]:
    """The rows that compose to what another row composes to."""
    counts = Counter(map(composed, plains))
    return [plain["row"] for plain in plains if counts[composed(plain)] > 1]


def test_stems_are_the_same_everywhere() -> None:
    assert sorted(FILES) == sorted(STEMS) == sorted(item_of(stem).stem for stem in STEMS)


@pytest.mark.parametrize(("stem", "entry", "scale"), SCRIPTS)
def test_every_row_composes_is_legal_and_is_no_other(stem: str, entry: str, scale: str) -> None:
    jobs = jobs_of(stem, entry, scale)
    plains = [settings(job) for job in jobs]
    for job, plain in zip(jobs, plains, strict=True):
        assert plain["row"] == job.name
        if job.seed == jobs[0].seed:  # others differ by that number
            legal(plain, entry)
    assert len({job.name for job in jobs}) == len(jobs)
    assert not twins(plains), "rows that compose to the same configuration"


def test_rows_of_the_same_configuration_are_found() -> None:
    (job, *_) = jobs_of("fig2b_guidance", "evaluate", "replica")
    plain = settings(job)
    other = plain | {"row": "other", "logger": None}
    assert twins([plain, other]) == [job.name, "other"]
    assert not twins([plain, other | {"checkpoint": "elsewhere"}])
    assert not twins([plain, other | {"sampler": {"num_steps": 77, "omega": 0.0}}])


@pytest.mark.parametrize(("stem", "entry", "scale"), SCRIPTS)
def test_seeds_reach_what_they_are_for(stem: str, entry: str, scale: str) -> None:
    for job in jobs_of(stem, entry, scale):
        plain = settings(job)
        trained = re.search(r"-seed(\d+)(?:@\d+)?$", plain.get("checkpoint") or "")
        if entry == "train" and plain["stage"] == "student":
            assert plain["seed"] == job.seed
        if trained:
            assert int(trained[1]) == job.seed
            assert plain["seeds"] == [job.seed]


@pytest.mark.parametrize("stem", STEMS)
def test_checkpoints_are_what_the_experiments_train(stem: str) -> None:
    """The student of an evaluation is planned, and its network of a step is kept."""
    for scale in SCALES:
        for job in jobs_of(stem, "evaluate", scale):
            place = settings(job)["checkpoint"]
            if place in (None, "published:audiolcm"):
                continue
            found = _TRAINING.search(place)
            assert found, f"{place} is no training of an experiment"
            of, item, name = found.groups()
            (training,) = [one for one in jobs_of(item, "train", of) if one.name == name]
            assert (of == "paper") == (scale == "paper")
            assert settings(training)["stage"] == "student"
            if "@" in place:
                student = settings(training)["trainer"]["student"]
                kept = [*(student["snapshots"] or []), student["steps"]]
                assert int(place.rpartition("@")[2]) in kept


@pytest.mark.parametrize("stem", STEMS)
def test_every_row_has_its_place_in_what_is_shown(stem: str) -> None:
    item = item_of(stem)
    for job in (job for scale in SCALES for job in planned(stem, scale)):
        if isinstance(item, TableItem):
            assert job.row in {row.key for row in item.rows}, f"{job.row} is no row of the table"
        else:
            facts = {"k": 20, "num_steps": 2, "omega": 4.0, "step": 400}
            shown = item.line(Result(job.row, job.seed, {}, {}, (), facts, {}, (), {}, "", None, ()))
            assert shown.strip() and "?" not in shown


@pytest.mark.parametrize("stem", STEMS)
def test_only_places_are_interpolated(stem: str) -> None:
    """Anything else would be resolved in another job than the one that it is written for."""
    for job in (job for scale in SCALES for job in planned(stem, scale)):
        for word in job.overrides:
            found = re.findall(r"\$\{([^}]*)\}", word)
            assert all(re.fullmatch(r"paths\.(runs|sounds|corpora)", name) for name in found), word
            assert "{" not in re.sub(r"\$\{[^}]*\}", "", word).replace("{}", ""), f"not filled in: {word}"


def header(stem: str) -> str:
    lines = itertools.takewhile(lambda line: line.startswith("#"), FILES[stem].read_text().splitlines())
    return "\n".join(line.removeprefix("# ").rstrip() for line in lines)


@pytest.mark.parametrize("stem", STEMS)
def test_a_file_opens_with_what_it_is_and_needs(stem: str) -> None:
    text = header(stem)
    assert text.startswith("@package _global_\n")
    places = [text.find(f"\n{heading}:") for heading in HEADINGS]
    assert -1 not in places and places == sorted(places)
    for heading, end in zip(HEADINGS, [*places[1:], len(text)], strict=True):
        said = text[text.find(f"\n{heading}:") + len(heading) + 2 : end].strip()
        assert len(said) > 5, f"nothing behind {heading}"
    number = item_of(stem).paper_item.split(" (")[0]
    assert number in text.splitlines()[1]


def commands(text: str) -> list[list[str]]:
    return [found.split()[1:] for found in COMMAND.findall(text)]


def test_commands_are_found_in_text() -> None:
    text = (
        "Command:    python train.py +experiment=a dataset.root=/x/y         then the same with evaluate.py\n"
        "  and (train it before: python train.py +experiment=b), one job (python train.py profile=paper +plan=1)\n"
        "            python -m experiments run a --dry-run\n"
    )
    found = commands(text)
    assert found[0] == ["train.py", "+experiment=a", "dataset.root=/x/y"]
    assert found[1] == ["train.py", "+experiment=b"]
    assert found[2] == ["train.py", "profile=paper", "+plan=1"]
    assert found[3] == ["-m", "experiments", "run", "a", "--dry-run"]


@pytest.mark.parametrize("stem", STEMS)
def test_the_commands_of_a_file_name_what_there_is(stem: str) -> None:
    chosen = set()
    for script, *words in commands(header(stem)):
        if script == "-m":
            assert words[0] == "experiments" and words[1] in ("list", "run", "status", "render")
            assert words[1] != "run" or words[2] in STEMS
            continue
        entry = script.removesuffix(".py")
        assert entry in ENTRIES
        plain = [word for word in words if "=" in word and not word.endswith("=...")]
        given = {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(plain)}
        assert not (set(SCALE_WORD.values()) - {SCALE_WORD[entry]}) & given.keys(), "the other script's word"
        if "experiment" in given:
            scale = given.get(SCALE_WORD[entry], "replica")
            assert jobs_of(str(given["experiment"]), entry, str(scale)), f"nothing to {entry} there"
            chosen.add((given["experiment"], entry, scale))
    planned_here = {(stem, entry, scale) for found, entry, scale in SCRIPTS if found == stem}
    told = chosen | {
        (item, "evaluate", scale) for item, _, scale in chosen
    }  # "then the same with evaluate.py"
    assert planned_here <= told, "a script or a scale that the file does not tell how to run"


def test_what_is_no_experiment_is_no_file_of_one() -> None:
    """The shared part lies in a folder of its own, so that the stems are the paper's items."""
    others = {path.relative_to(CONF) for path in CONF.rglob("*.yaml")} - {
        Path(f"{stem}.yaml") for stem in STEMS
    }
    assert others == {Path("base/rows.yaml")}
    assert OmegaConf.load(CONF / "base/rows.yaml").hydra.mode == "MULTIRUN"
