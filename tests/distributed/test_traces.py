"""One process and two, whole and sharded, at once and in pieces, in one go and resumed: the same figures."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stages import ACCUMULATED, ADVERSARIAL, STAGES, Trace, runs_of_many, trace, train
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
    released = trace(trained / "one", "released_autoencoder")
    assert "train/penalty" in released[0]
    assert ["train/adversarial" in row for row in released[:4]] == [False, True, True, True]
    assert ADVERSARIAL[1] == "vocoder"


def test_groups_of_examples_follow_each_other_in_pieces(trained: Path) -> None:
    """Each piece is a group of the released objective, whose statistics are its own."""
    train("released_autoencoder", trained / "one_accumulated", ALONE, ACCUMULATED)
    pieces, whole = (trace(trained / name, "released_autoencoder") for name in ("one_accumulated", "one"))
    assert_equal(pieces, whole)


def test_a_discriminator_goes_on_bit_for_bit(trained: Path) -> None:
    """Its weights and its optimizer's, after a stop in the step in which it joined."""
    stage = "released_autoencoder"
    train(stage, trained / "stopped", ALONE, stopped=0)
    train(stage, trained / "stopped", ALONE)
    resumed, whole = (
        load_file(trained / name / stage / "checkpoints/step-00000004.safetensors")
        for name in ("stopped", "one")
    )
    assert any("discriminator" in name for name in whole)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def assert_equal(found: Trace, expected: Trace, relative: float = 1e-5) -> None:
    assert [set(row) for row in found] == [set(row) for row in expected]
    for row, right in zip(found, expected, strict=True):
        for name, value in right.items():
            assert row[name] == pytest.approx(value, rel=relative, abs=1e-6), (name, right["step"])
