"""Records from disk: what is read, and what is left out and why."""

import json
from pathlib import Path

import pytest
from made_results import FADS, Job, fad, jobs, record, timing, write, write_listening, write_table6

from experiments.records.records import read_results

STEM = "table6_backbone"


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_table6(tmp_path)
    found = read_results(tmp_path, STEM, "replica")
    assert [result.name for result in found.of("full")] == ["full-seed0", "full-seed1", "full-seed2"]
    assert [result.scores["fad_yamnet"].value for result in found.of("full")] == list(FADS["full"])
    assert found.of("full")[0].scores["fad_yamnet"].interval == (9.0, 11.0)
    assert not found.faults and not found.planned and not found.of("none")
    assert read_results(tmp_path, STEM, "paper").results == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"item": "table7_scale"}, "of item table7_scale"),
        ({"scale": "paper"}, "of scale paper"),
        ({"seed": 1}, "of full-seed1, whose place is another file"),
        ({"row": "../full"}, "no name or number"),
        ({"seed": True}, "no name or number"),
        ({"format_version": 2}, "newer than this program"),
        ({"scores": [{"key": "fad_embedded"}]}, "it has no 'value'"),
        ({"protocol": None}, "protocol are no mapping"),
        ({"timings": [{"batch_size": 1}]}, "missing"),
        ({"timings": [timing(0.0)]}, "real-time factor is 0.0, which is not above 0"),
        ({"timings": [timing(-0.1)]}, "real-time factor is -0.1"),
        ({"timings": [timing(0.1) | {"audio_seconds": -5.0}]}, "length of sound is -5.0"),
        ({"provenance": {"seconds": -1}}, "less than no time"),
        ({"provenance": {"seconds": "1"}}, "'1' is no number"),
    ],
)
def test_a_record_that_is_not_what_its_place_says_is_left_out(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = write(tmp_path, record(STEM, "full", 0, fad(10.0)))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    write(tmp_path, record(STEM, "full", 7, fad(11.0)))
    found = read_results(tmp_path, STEM, "replica")
    assert [result.seed for result in found.results] == [7]
    (fault,) = found.faults
    assert fault.startswith("full-seed0.json is left out") and words in fault


def test_a_copy_of_a_record_under_another_name_is_no_second_seed(tmp_path: Path) -> None:
    write(tmp_path, record(STEM, "full", 0, fad(10.0)))
    write(tmp_path, record(STEM, "full", 0, fad(10.0)), "full-seed1")
    found = read_results(tmp_path, STEM, "replica")
    assert len(found.results) == 1 and "full-seed1.json is left out" in found.faults[0]


@pytest.mark.parametrize("content", [b'{"format_version": 1, "it', b"[1]", b"\xff\xfe", b"", b"null"])
def test_broken_files_are_said_to_be_broken(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, record(STEM, "full", 0)).write_bytes(content)
    found = read_results(tmp_path, STEM, "replica")
    assert not found.results and "full-seed0.json is left out" in found.faults[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None, True])
def test_a_score_that_is_no_finite_number_is_none(tmp_path: Path, value: object) -> None:
    content = record(STEM, "full", 0, fad(10.0))
    content["scores"][0]["value"] = value
    write(tmp_path, content)
    assert "number" in read_results(tmp_path, STEM, "replica").faults[0]


def test_stale_records_stand_alone_or_not_at_all(tmp_path: Path) -> None:
    write_table6(tmp_path)

    def changes(content: dict[str, object], job: Job) -> list[str]:
        assert (content["row"], content["seed"]) == (job.row, job.seed)
        is_old = content["row"] == "without_rope" or (content["row"], content["seed"]) == ("full", 1)
        return ["solver.k: 20 -> 10"] if is_old else []

    found = read_results(tmp_path, STEM, "replica", jobs(*FADS), changes)
    assert [result.seed for result in found.of("full")] == [0, 2]
    assert [result.name for result in found.left_out("full")] == ["full-seed1"]
    assert [result.changes for result in found.of("without_rope")] == [("solver.k: 20 -> 10",)] * 3


def test_a_job_that_is_no_longer_planned_is_stale(tmp_path: Path) -> None:
    write_table6(tmp_path)
    found = read_results(tmp_path, STEM, "replica", jobs("full", seeds=2))
    assert [result.seed for result in found.of("full")] == [0, 1]
    assert found.of("without_rope")[0].changes == ("the experiment does not plan this job",)


def test_trainings_of_what_is_evaluated_are_no_rows(tmp_path: Path) -> None:
    write(tmp_path, record(STEM, "k20", 0))
    write(tmp_path, record(STEM, "k20-step400", 0, fad(1.0)))
    planned = [Job("k20", 0, "train"), Job("k20-step400", 0), Job("k20-step800", 0)]
    assert read_results(tmp_path, STEM, "replica", planned).rows == ("k20-step400", "k20-step800")
    assert read_results(tmp_path, STEM, "replica", planned[:1]).of("k20")[0].changes == ()


@pytest.mark.parametrize(
    "report", ["javascript:alert(1)", "//evil.example/x", "../../etc/passwd", "/etc/x", 3, None]
)
def test_only_relative_paths_are_reports(tmp_path: Path, report: object) -> None:
    write(tmp_path, record(STEM, "full", 0, report=report))
    assert read_results(tmp_path, STEM, "replica").results[0].report is None


def test_listening_test(tmp_path: Path) -> None:
    write_listening(tmp_path, "table1_audiocaps", {"audiolcm": 77.4})
    found = read_results(tmp_path, "table1_audiocaps", "replica")
    assert found.listening["audiolcm"]["mos_q"].value == 77.4
    assert "18 raters, 2 more screened out" in found.raters
    path = tmp_path / "listening/replica/table1_audiocaps.json"
    path.write_text(path.read_text()[:50])
    broken = read_results(tmp_path, "table1_audiocaps", "replica")
    assert not broken.listening and "listening test is left out" in broken.faults[0]
