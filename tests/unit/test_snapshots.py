"""Networks kept on the way, and a student whose backbone is not its teacher's."""

from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from torch import nn

from audiolcm.assembly import build_denoiser
from audiolcm.configuration.schema import compose
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.pipeline import AudioLCM
from audiolcm.published.models import open_model
from audiolcm.stages.recipe import Recipe
from audiolcm.stages.student import initialize_from
from audiolcm.storage.run_folder import write_result
from audiolcm.training.checkpoint import Checkpoints
from audiolcm.training.settings import StageSettings
from audiolcm.weights.artifacts import Artifact, trained_steps

SMALL = [
    "trainer=smoke", "logger=jsonl", "dataset.num_train=8", "dataset.num_validation=2", "dataset.num_test=2",
    "dataset.duration=2.0", "dataset.min_duration=2.0", "dataset.max_duration=2.0", "model=tiny_base",
    "trainer.autoencoder.steps=2", "trainer.teacher.steps=2", "trainer.student.steps=5", "hardware=cpu_float32",
]  # fmt: skip
FULL = [
    f"+backbone/{part}@teacher.backbone.{part}={name}"
    for part, name in (("norm", "rmsnorm"), ("position", "rope"), ("feed_forward", "swiglu"))
]


def recipe(folder: Path, *overrides: str) -> Recipe:
    GlobalHydra.instance().clear()
    paths = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    return Recipe(compose([*SMALL, *paths, *overrides]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def checkpointed() -> dict[int, dict[str, torch.Tensor]]:
    return {}


@pytest.fixture(scope="module")
def student(folder: Path, checkpointed: dict[int, dict[str, torch.Tensor]]) -> Artifact:
    save = Checkpoints.save

    def watched(self: Checkpoints, step: int, trained: nn.ModuleDict, optimizers: dict) -> Path:
        if "student" in trained:
            checkpointed[step] = {k: v.clone() for k, v in trained["student"].state_dict().items()}
        return save(self, step, trained, optimizers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", watched)
        every = ["trainer.student.snapshots=[2,3]", "trainer.student.checkpoint_every=1"]
        return recipe(folder, *every).student


def test_a_snapshot_is_the_network_of_its_step(
    student: Artifact, checkpointed: dict[int, dict[str, torch.Tensor]]
) -> None:
    found = AudioLCM.from_checkpoint(f"{student.folder}@3", hardware=Hardware("cpu", "float32"))
    for name, tensor in found.denoiser.state_dict().items():
        assert torch.equal(tensor, checkpointed[3][name]), name
    assert any(not torch.equal(checkpointed[3][name], checkpointed[5][name]) for name in checkpointed[5])
    snapshot = open_model(f"{student.folder}@3")
    assert snapshot.card["step"] == trained_steps(snapshot) == 3
    assert open_model(f"{student.folder}@5").folder == student.folder
    assert len({snapshot.hash, student.hash, open_model(f"{student.folder}@2").hash}) == 3
    assert snapshot.parent("teacher").hash == student.parent("teacher").hash


def test_snapshots_change_no_identity(folder: Path, student: Artifact) -> None:
    assert recipe(folder).student.folder == student.folder


def test_a_run_folder_names_its_student(folder: Path, student: Artifact) -> None:
    write_result(folder / "run", {"status": "done", "folder": str(student.folder)})
    assert open_model(folder / "run").hash == student.hash
    assert open_model(f"{folder / 'run'}@2").card["step"] == 2


def test_a_snapshot_that_was_not_kept(student: Artifact) -> None:
    with pytest.raises(UserError, match=r"kept no network of step 4; it has 2, 3\..*snapshots=\[2,3,4\]"):
        open_model(f"{student.folder}@4")


@pytest.mark.parametrize("step", [0, 999])
def test_a_step_that_no_snapshot_can_be_of(student: Artifact, step: int) -> None:
    with pytest.raises(UserError, match=rf"has no network of step {step}: it was trained for \d+ steps"):
        open_model(f"{student.folder}@{step}")


@pytest.mark.parametrize("steps", [[0], [5], [7], [2, True]])
def test_snapshots_lie_inside_the_training(steps: list) -> None:
    with pytest.raises(UserError, match="snapshots="):
        StageSettings(5, 8, 1e-3, 1.0, snapshots=steps)


def test_a_student_of_another_backbone_shares_the_teacher(folder: Path, student: Artifact) -> None:
    other = recipe(folder, "backbone/position=learned", "backbone/norm=layernorm", *FULL)
    assert other.student.hash != student.hash
    assert other.student.parent("teacher").folder == student.parent("teacher").folder
    loaded = AudioLCM.from_checkpoint(other.student.folder, hardware=Hardware("cpu", "float32"))
    assert "LearnedPosition" in {type(module).__name__ for module in loaded.denoiser.modules()}
    assert other.teacher.hash == student.parent("teacher").hash
    again = recipe(folder, "backbone/position=learned", "backbone/norm=layernorm")
    # Without the words, the teacher is of the student's backbone
    assert "learnedposition" in again.teacher.card["name"]
    assert AudioLCM.from_checkpoint(again.teacher.folder)


def test_all_but_the_exchanged_part_starts_as_the_teacher(folder: Path) -> None:
    source, other = recipe(folder).cfg, recipe(folder, "backbone/feed_forward=gelu", *FULL).cfg
    torch.manual_seed(0)
    teacher, fresh = build_denoiser(source, 8, 4), build_denoiser(other, 8, 4)
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    started = initialize_from(fresh, teacher).state_dict()
    known = teacher.state_dict()
    kept = {name for name in started if name not in known or known[name].shape != started[name].shape}
    assert kept and all("feed_forward" in name for name in kept), kept
    for name, tensor in started.items():
        assert torch.equal(tensor, before[name] if name in kept else known[name]), name
