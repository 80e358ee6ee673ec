"""One process and two, whole and sharded, at once and in pieces, in one go and resumed: the same figures."""

from pathlib import Path

import pytest
from stages import ADVERSARIAL, STAGES, Trace, runs_of_many, trace, train
from starting import HERE, torchrun

from audiolcm.training.parallel import Parallel

ALONE = Parallel()
CASES = [(name, stage) for name, _, _, stages in runs_of_many() for stage in stages]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs: one process first, then two, then one that finishes what two began."""
    folder = tmp_path_factory.mktemp("distributed")
    for stage in STAGES:
        train(stage, folder / "one", ALONE)
    for name in ("one_then_ddp", "one_then_fsdp"):
        for stage in [stage for case, stage in CASES if case == name]:
            train(stage, folder / name, ALONE, stopped=0)
            assert len(trace(folder / name, stage)) == 3, "the run was to stop after its third step"
    many = torchrun(str(HERE / "stages.py"), str(folder))
    assert many.returncode == 0, many.stderr[-3000:]
    for name in ("ddp_then_one", "fsdp_then_one"):
        for stage in [stage for case, stage in CASES if case == name]:
            assert len(trace(folder / name, stage)) == 3, (
                "a signal to one process stops both after a whole step"
            )
            train(stage, folder / name, ALONE)
    return folder


@pytest.mark.parametrize(("name", "stage"), CASES)
def test_many_processes_give_the_figures_of_one(trained: Path, name: str, stage: str) -> None:
    # The vocoder's log-mel of near silence multiplies rounding, which differs between processors (AMD 2.5e-5).
    relative = 1e-4 if stage == "vocoder" else 1e-5
    assert_equal(trace(trained / name, stage), trace(trained / "one", stage), relative)


def test_the_stages_are_worth_comparing(trained: Path) -> None:
    for stage in STAGES:
        rows = trace(trained / "one", stage)
        part = {"student": "student", "teacher": "model", "teacher_with_text": "model"}.get(
            stage, "generator"
        )
        losses = [row[f"train/{part}"] for row in rows if f"train/{part}" in row]
        assert len(losses) == 4
        assert len(set(losses)) == 4
        assert any(name.startswith("validation/") for row in rows for name in row)
    assert "train/discriminator" in trace(trained / "one", "autoencoder")[1]
    assert ADVERSARIAL[1] == "vocoder"


def assert_equal(found: Trace, expected: Trace, relative: float = 1e-5) -> None:
    assert [set(row) for row in found] == [set(row) for row in expected]
    for row, right in zip(found, expected, strict=True):
        for name, value in right.items():
            assert row[name] == pytest.approx(value, rel=relative, abs=1e-6), (name, right["step"])
