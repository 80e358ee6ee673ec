"""Which jobs of a sweep get which parent jobs."""

from typing import Any

from audiolcm.configuration.schema import compose
from audiolcm.sweeps.slurm.shared_parents import Planned, plan


def planned(*rows: list[str]) -> list[Planned]:
    return plan([compose(["teacher=scratch", *row]) for row in rows])


def stages(jobs: list[Planned]) -> list[tuple[str | None, tuple[int, ...], int | None]]:
    return [(job.stage, job.rows, job.needs) for job in jobs]


def test_students_of_one_teacher_share_it() -> None:
    rows = [["solver.k=1"], ["guidance=fixed_4"], ["objective/distance=l2"], ["sampler.num_steps=1"]]
    rows += [
        ["trainer.student.steps=3"],
        ["preview.num_clips=1"],
        ["logger=jsonl"],
        ["hardware.num_threads=1"],
    ]
    parent, *jobs = stages(planned(*rows))
    assert parent == ("teacher", tuple(range(8)), None)
    assert jobs == [(None, (row,), 0) for row in range(8)]


def test_what_decides_a_teacher_divides_the_jobs() -> None:
    """Four sizes share what comes before their teachers, and nothing else."""
    for rows in (
        [["model=tiny"], ["model=tiny_xl"]],
        [["backbone/norm=rmsnorm"], ["backbone/norm=layernorm"]],
        [["trainer.teacher.steps=1"], ["trainer.teacher.steps=2"]],
    ):
        assert stages(planned(*rows)) == [("vocoder", (0, 1), None), (None, (0,), 0), (None, (1,), 0)]


def test_parents_of_parents() -> None:
    rows = [[f"model={size}", f"solver.k={k}"] for size in ("tiny", "tiny_xl") for k in (1, 5)]
    assert stages(planned(*rows)) == [
        ("vocoder", (0, 1, 2, 3), None),
        ("teacher", (0, 1), 0), (None, (0,), 1), (None, (1,), 1),
        ("teacher", (2, 3), 0), (None, (2,), 4), (None, (3,), 4),
    ]  # fmt: skip


def test_seeds_share_their_data_and_single_jobs_nothing() -> None:
    assert stages(planned(["seed=0"], ["seed=1"])) == [
        ("data", (0, 1), None),
        (None, (0,), 0),
        (None, (1,), 0),
    ]
    assert stages(planned(["dataset.num_train=8"], ["dataset.num_train=9"])) == [
        (None, (0,), None),
        (None, (1,), None),
    ]
    assert stages(planned(["seed=0"])) == [(None, (0,), None)]


def test_other_folders_are_other_parents() -> None:
    rows = planned(["paths.artifacts=a"], ["paths.artifacts=b"])
    assert [job.stage for job in rows] == [None, None]


def test_only_what_comes_before_the_asked_stage_is_a_parent() -> None:
    rows = (["stage=autoencoder", "seed=1"], ["stage=autoencoder", "seed=2"])
    assert [job.stage for job in planned(*rows)] == ["data", None, None]


def test_a_given_teacher_needs_no_job() -> None:
    configs: list[dict[str, Any]] = [compose([f"solver.k={k}", "parents.teacher=somewhere"]) for k in (1, 5)]
    assert [job.stage for job in plan(configs)] == ["data", None, None]


def test_evaluations_share_nothing() -> None:
    assert stages(plan([{}, {}])) == [(None, (0,), None), (None, (1,), None)]
