"""Names of measurements, numbers of rounds, results on disk, the page."""

import re
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from audiolcm.errors import UserError
from benchmarks.__main__ import main
from benchmarks.speed import page as page_module
from benchmarks.speed.case import Case, merged, read_case
from benchmarks.speed.catalog import CONTESTS, chosen, precisions, standard
from benchmarks.speed.figures import Machine
from benchmarks.speed.growth import draw, slope_in_words
from benchmarks.speed.page import HEAD, OLDER, PAGE, page, render
from benchmarks.speed.results import RESULTS, Result, read_all, write
from benchmarks.speed.summary import Measured, ratio, summarized
from benchmarks.speed.tables import measured_table, summary_page
from benchmarks.speed.targets import TARGETS, targets_table
from benchmarks.speed.versions import ROOT, Version, other_version

MACHINE = {
    "hardware": "A CPU", "device": "cpu", "abilities": ["AMX"], "threads": 2, "torch": "2", "python": "3",
    "commit": "c",
}  # fmt: skip
FACTS = {
    "hardware": "A CPU", "device": "cpu", "precision": "bfloat16", "threads": 2, "torch": "2", "commit": "c",
    "sound": 10.0, "flops": 2e9, "peak_bytes": 3 * 2**30, "imported_bytes": 2**30,
}  # fmt: skip


def measured(
    name: str, *rounds: float, version: str = "here", rate: float = 1e10, **facts: object
) -> Measured:
    told = [{"seconds": [one], "stages": [{}], "rate": rate} for one in rounds]
    return summarized(read_case(name), Version(version), FACTS | facts, told)


def result(name: str, *cases: Measured, axis: str = "", **told: object) -> Result:
    given = {"command": "typed", "date": "2026-01-02", "machine": MACHINE} | told
    return Result(name, name.capitalize(), axis, list(cases), **given)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("denoiser-base-bfloat16", Case("denoiser", "base", "bfloat16")),
        ("released-denoiser-xl-b8-30s", Case("released-denoiser", "xl", batch=8, seconds=30)),
        ("sampler-4steps", Case("sampler", steps=4)),
        ("warm-synthesis-base-bigvgan", Case("warm-synthesis", "base", variant="bigvgan")),
        ("training-vocoder", Case("training", variant="vocoder")),
        ("start", Case("start", variant="generate")),
    ],
)
def test_names_are_read(name: str, case: Case) -> None:
    assert read_case(name) == case
    assert read_case(case.name) == case


@pytest.mark.parametrize(
    "name", ["", "denoise", "denoiser-huge", "denoiser-8", "sampler-istft", "start-sampler"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="There is no measurement"):
        read_case(name)


def test_all_cases_of_the_catalog_have_their_own_names() -> None:
    for contest in CONTESTS.values():
        assert [case.name for case in contest.read()] == list(contest.cases)
    assert {one.name for one in standard()} < set(CONTESTS)


def test_named_cases_are_one_contest() -> None:
    contests = chosen(["training", "denoiser", "sampler-tiny", "denoiser-tiny-1s"])
    assert [one.name for one in contests] == ["training", "denoiser", "sampler-tiny_denoiser-tiny-1s"]
    assert ("denoiser-base-int8" in contests[1].cases) == ("int8" in precisions())


def test_later_overrides_replace_earlier_ones() -> None:
    assert merged(["model=base", "hardware.precision=float32"], ["model=tiny"]) == [
        "model=tiny",
        "hardware.precision=float32",
    ]


def test_numbers_of_rounds() -> None:
    one = measured("denoiser-base-bfloat16", 0.4, 0.2, 0.3)
    assert (one.median, one.least, one.p95, one.units) == (0.3, 0.2, 0.4, 3)
    assert one.floor == pytest.approx(0.2) and one.distance == pytest.approx(1.5)
    assert one.real_time_factor == pytest.approx(0.03) and one.memory == 2 * 2**30
    other = measured("denoiser-base-float32", 0.8, 0.6, 0.6)
    assert (ratio(other, one).median, ratio(other, one).low, ratio(other, one).high) == pytest.approx(
        (2, 2, 3)
    )
    assert measured("start", 1.0, flops=0.0).distance is None


def test_results_survive_the_disk_and_the_newest_counts(tmp_path: Path) -> None:
    old = result("denoiser", measured("denoiser-base-bfloat16", 0.5), date="2026-01-01")
    new = result("denoiser", measured("denoiser-base-bfloat16", 0.3))
    write(new, tmp_path), write(old, tmp_path)
    assert [one for _, one in read_all(tmp_path)] == [old, new]
    assert [one for _, one in page_module.shown(tmp_path)] == [new]
    (tmp_path / "2026-01-02-a-amx" / "denoiser.json").write_text("{}")
    with pytest.raises(UserError, match="is no result"):
        read_all(tmp_path)


def test_growth_is_told_and_drawn(tmp_path: Path) -> None:
    cases = [measured(f"denoiser-base-bfloat16-{n}s", 0.4 + 0.05 * n) for n in (1, 2, 5, 20)]
    grown = result("durations", *cases, axis="seconds")
    assert slope_in_words(grown).startswith("0.05 s for each second of sound, and 0.4 s whatever it is")
    write(grown, tmp_path)
    assert "<svg" in draw(grown, tmp_path).read_text()
    summary_page(tmp_path / "2026-01-02-a-amx")
    assert "![Durations" in (tmp_path / "2026-01-02-a-amx/README.md").read_text()


def test_sizes_stand_at_their_arithmetic() -> None:
    sizes = (("tiny", 1e9), ("base", 1e11), ("xl", 1e12))
    grown = [measured(f"denoiser-{size}-bfloat16", 0.1 + flops / 1e12, flops=flops) for size, flops in sizes]
    assert slope_in_words(result("sizes", *grown, axis="size")).startswith("1 s for each TFLOP, and 0.1 s")


def test_table_sets_cases_beside_the_first() -> None:
    table = measured_table(
        result("x", measured("denoiser", 1.0, 2.0), measured("released-denoiser", 2.0, 3.0))
    )
    assert "| 1.75 (1.50 to 2.00) |" in table


def test_targets_are_filled_from_results() -> None:
    denoisers = (
        measured("denoiser-base-bfloat16", 0.24),
        measured("denoiser-base-float32", 0.9),
        measured("released-denoiser-base-bfloat16", 0.3),
        measured("released-denoiser-base-float32", 0.8),
    )
    main_job = result(
        "main-job-tiny", measured("main-job-tiny", 100), measured("main-job-tiny", 250), against="5d7ea24"
    )
    table = targets_table([Machine([result("denoiser", *denoisers), main_job])])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    found = {(row[0], row[2]): row[3:5] for row in rows}
    assert found["denoiser call, batch 1, best precision", "at most 1.25 times"] == ["1.2", "yes"]
    assert found["the same, the worse of both precisions", "at least 1 times"] == ["0.889", "no"]
    assert found["main job from nothing", "at least 2 times"] == ["2.5", "yes"]
    assert found["training step of the tiny model, teacher and student", "at most 2.5 times"] == [
        "not measured",
        "",
    ]
    assert found["sampler, real-time factor, batch 1", "at most 0.0004"] == ["no GPU", ""]


def test_targets_of_a_gpu_are_filled_by_the_same_path() -> None:
    told = {"hardware": "A GPU", "device": "cuda"}
    step = measured("distillation-large-bfloat16-b8", 0.5, **told, flops=2e9, rate=8e9)
    sizes = result("distillation-sizes", step, axis="size", machine=MACHINE | told | {"abilities": []})
    assert "(MFU), L |  | at least 0.4 | 0.5 | yes | A GPU | c |" in targets_table([Machine([sizes])])


def test_every_target_names_cases_of_the_catalog() -> None:
    """With a result of every contest no row of its device is left empty."""
    for device in ("cpu", "cuda"):
        told = {"hardware": "M", "device": device}
        of_machine = MACHINE | told
        results = [
            result(contest.name, *(measured(name, 1.0, **told) for name in contest.cases), machine=of_machine)
            for contest in CONTESTS.values()
        ]
        results.append(
            result(
                "main-job-tiny", *[measured("main-job-tiny", 1.0)] * 2, against="5d7ea24", machine=of_machine
            )
        )
        machine = Machine(results)
        assert all(target.figure(machine) is not None for target in TARGETS if target.is_for(machine))


def test_page_is_made_from_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (HEAD, OLDER):
        (tmp_path / name).write_text(f"# {name}\n")
    case = measured("denoiser-base-bfloat16", 0.24)
    grown = result("durations", case, replace(case, name="denoiser-base-bfloat16-20s"), axis="seconds")
    for one in (result("denoiser", case), grown):
        write(one, tmp_path)
    draw(grown, tmp_path)
    monkeypatch.setattr(page_module, "PAGE", tmp_path / "docs" / "performance.md")
    (tmp_path / "docs").mkdir()
    render(Namespace(results=tmp_path))
    text = (tmp_path / "docs/performance.md").read_text()
    assert text == page(tmp_path) and text.index("# page.md") < text.index("| 1.2 | yes |") < text.index(
        "# older.md"
    )
    pictures = re.findall(r"\]\((images/.*?)\)", text)
    assert len(pictures) == 1 and (tmp_path / "docs" / pictures[0]).exists()


def test_committed_page_is_what_render_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(RESULTS), "type: python -m benchmarks render"
    for picture in re.findall(r"\]\((images/.*?)\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / picture).exists()


def test_versions_are_told_apart() -> None:
    with other_version(["hardware.precision=float32"], ["model.depth=1"]) as other:
        assert other == Version(
            "hardware.precision=float32", ROOT, ("model.depth=1", "hardware.precision=float32")
        )
    with pytest.raises(UserError, match="one commit, or overrides"), other_version(["abc", "model.depth=1"]):
        pass
    with pytest.raises(UserError, match="a commit that git knows"), other_version(["no-such-commit"]):
        pass


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the history of a checkout")
def test_commit_is_checked_out_for_as_long_as_it_is_needed() -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    with other_version(["HEAD"]) as other:
        assert head.startswith(other.name) and (other.root / "src" / "audiolcm" / "__init__.py").exists()
    assert not other.root.exists()


def test_command_measures_against_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["denoiser-tiny-float32-1s", "model.depth=1", "--rounds", "2", "--seconds", "0"]
    assert main([*words, "--results", str(tmp_path), "--against", "model.depth=2"]) == 0
    ((path, found),) = read_all(tmp_path)
    assert path.stem == "denoiser-tiny-float32-1s-with-model.depth=1-against-model.depth=2"
    assert [one.version for one in found.measured] == ["here", "model.depth=2"]
    assert all(len(one.rounds) == 2 and one.peak_bytes >= one.imported_bytes > 0 for one in found.measured)
    assert "times as long as the first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("worker", "told"),
    [
        ('echo \'{"error": "too wide"}\'', "was not measured: too wide"),
        ("echo gone >&2", "process ended.\ngone"),
    ],
)
def test_failure_of_a_worker_is_one_message(
    worker: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{worker}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    assert main(["denoiser-tiny-float32-1s", "--results", str(tmp_path)]) == 1
    assert told in capsys.readouterr().err


def test_list_and_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0 and "denoiser-base-bfloat16" in capsys.readouterr().out
    assert main(["profile"]) == 1 and "Name what is profiled" in capsys.readouterr().err
    assert main(["nothing"]) == 1 and "There is no measurement 'nothing'" in capsys.readouterr().err
