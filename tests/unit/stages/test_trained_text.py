"""T5 trained with the teacher: what learns, how, and that all who come after the teacher read the trained one."""

from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from text_files import save_text_files

from audiolcm.configuration.schema import compose
from audiolcm.stages.recipe import Recipe

TINY = [
    "trainer=smoke", "logger=jsonl", "hardware=cpu_float32", "vocoder=griffin_lim", "teacher=scratch", "model.width=32",
    "model.depth=1", "model.num_heads=2", "dataset.num_train=6", "dataset.num_validation=2", "dataset.num_test=2",
    "dataset.duration=2.56", "trainer.autoencoder.steps=1", "trainer.teacher.steps=4", "trainer.student.steps=2",
    "trainer.autoencoder.batch_size=2", "trainer.teacher.batch_size=4", "trainer.student.batch_size=2",
    "trainer.teacher.crop_seconds=1.0", "trainer.student.crop_seconds=1.0", "trainer.teacher.validate_every=2",
    "trainer.autoencoder.crop_seconds=0.5", "trainer.teacher.learning_rate=1e-2", "trainer.teacher.warmup_steps=0",
    "text_encoder=clap_t5", "text_encoder.tokens_per_half=12", "+text_encoder.min_vocabulary=15",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained_text")
    save_text_files(folder)
    return folder


def recipe(folder: Path, *words: str, artifacts: str = "artifacts") -> Recipe:
    GlobalHydra.instance().clear()
    places = [f"paths.{name}={folder / name}" for name in ("cache", "runs")]
    files = {"bert": "bert", "t5": "t5", "clap_checkpoint": "clap.pth"}
    texts = [f"text_encoder.{name}={folder / file}" for name, file in files.items()]
    return Recipe(compose([*TINY, *places, f"paths.artifacts={folder / artifacts}", *texts, *words]))


@pytest.fixture(scope="module")
def trained(folder: Path) -> Recipe:
    """A recipe whose teacher is there."""
    made = recipe(folder, "text_encoder.trainable=true")
    assert made.teacher
    return made


def test_x(trained: Recipe) -> None:
    print(trained.teacher.card)
    print(trained.student.card)
