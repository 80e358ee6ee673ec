"""T5 trained with the teacher: what learns, how, and that all who come after the teacher read the trained one."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file
from text_files import save_text_files
from torch import Tensor, nn
from torch.testing import assert_close

from audiolcm.assembly import load_text_encoder
from audiolcm.configuration.fingerprint import settings_fingerprint
from audiolcm.configuration.kept import read_yaml
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.models.clap_t5 import ClapT5TextEncoder, ReleasedTextEncoder
from audiolcm.objectives.diffusion import DiffusionObjective
from audiolcm.pipeline import AudioLCM
from audiolcm.stages.recipe import Recipe
from audiolcm.training.stage_runner import StageRunner
from audiolcm.weights.artifacts import Artifact, ArtifactStore, Identity, tensors_identity

TINY = [
    "trainer=smoke", "logger=jsonl", "hardware=cpu_float32", "vocoder=griffin_lim", "teacher=scratch", "model.width=32",
    "model.depth=1", "model.num_heads=2", "dataset.num_train=6", "dataset.num_validation=2", "dataset.num_test=2",
    "dataset.duration=2.56", "trainer.autoencoder.steps=1", "trainer.teacher.steps=4", "trainer.student.steps=2",
    "trainer.autoencoder.batch_size=2", "trainer.teacher.batch_size=4", "trainer.student.batch_size=2",
    "trainer.teacher.crop_seconds=1.0", "trainer.student.crop_seconds=1.0", "trainer.teacher.validate_every=2",
    "trainer.autoencoder.crop_seconds=0.5", "trainer.teacher.learning_rate=1e-2", "trainer.teacher.warmup_steps=0",
    "text_encoder=clap_t5", "text_encoder.tokens_per_half=12", "+text_encoder.min_vocabulary=15",
]  # fmt: skip
FILES = {"bert": "bert", "t5": "t5", "clap_checkpoint": "clap.pth"}
TRAINABLE = "text_encoder.trainable=true"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained_text")
    save_text_files(folder)
    return folder


def composed(folder: Path, *words: str) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    places = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    texts = [f"text_encoder.{name}={folder / file}" for name, file in FILES.items()]
    return compose([*TINY, *places, *texts, *words])


def recipe(folder: Path, *words: str) -> Recipe:
    return Recipe(composed(folder, *words))


@pytest.fixture(scope="module")
def finished(folder: Path) -> tuple[Recipe, str]:
    """A recipe with a student, whose teacher was killed once, just before its card was written; and what was logged."""
    words: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: words.append(record.getMessage())
    logger = logging.getLogger("audiolcm")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    with pytest.MonkeyPatch.context() as patch:
        write = ArtifactStore.write

        def killed(store: ArtifactStore, identity: Identity, *given: Any) -> Artifact:
            if identity.stage == "teacher":
                raise KeyboardInterrupt
            return write(store, identity, *given)

        patch.setattr(ArtifactStore, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            assert recipe(folder, TRAINABLE).teacher
    assert not list(folder.glob("cache/*/text-*")), "no text features are cached while they change"
    made = recipe(folder, TRAINABLE)
    assert made.teacher.card["resumed_from_step"] == 4
    assert made.student
    logger.removeHandler(handler)
    logger.setLevel(before)
    return made, "\n".join(words)


def stock(folder: Path) -> ClapT5TextEncoder:
    files = {name: str(folder / place) for name, place in FILES.items()}
    return ClapT5TextEncoder(**files, tokens_per_half=12, min_vocabulary=15)


def parts(encoder: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of BERT and its projection, and those of T5."""
    return dict(encoder.caption_encoder.state_dict()), dict(encoder.t5_transformer.state_dict())


def test_it_is_said_that_no_features_are_cached(finished: tuple[Recipe, str]) -> None:
    assert "No text features are cached for this stage" in finished[1]


def test_the_artifact_holds_the_trained_t5_and_the_stock_bert(
    folder: Path, finished: tuple[Recipe, str]
) -> None:
    teacher = finished[0].teacher
    kept = load_text_encoder(teacher, read_yaml(teacher.config_file()))
    assert isinstance(kept, ReleasedTextEncoder)
    (bert, t5), (stock_bert, stock_t5) = parts(kept), parts(stock(folder))
    assert_close(bert, stock_bert, rtol=0, atol=0)
    for name, tensor in t5.items():
        assert (tensor - stock_t5[name]).abs().max() > 1e-3, name
    assert kept.tokens_per_half == 12
    assert teacher.parent("text_encoder").card["num_parameters"] == sum(
        p.numel() for p in stock(folder).parameters()
    )


def test_student_sampler_and_export_read_the_trained_one(
    finished: tuple[Recipe, str], tmp_path: Path
) -> None:
    made, _ = finished
    kept = made.teacher.parent("text_encoder")
    assert made.student.parent("text_encoder").folder == kept.folder
    expected = load_file(kept.weights_file())
    student = AudioLCM.from_checkpoint(made.student.folder)
    exported = student.save_pretrained(tmp_path / "exported")
    for place in (made.student.folder, made.teacher.folder, exported):
        found = AudioLCM.from_checkpoint(place)
        assert_close(dict(found.text_encoder.state_dict()), expected, rtol=0, atol=0)
        sound = found("a dog barks", duration=1.0, steps=2)
        assert np.isfinite(sound.waveforms).all()
    identity = made.student.card["made_from"]["text_encoder"]
    assert identity["weights"] == tensors_identity(expected)["weights"]


def test_the_student_caches_features_of_the_trained_one(folder: Path, finished: tuple[Recipe, str]) -> None:
    made, _ = finished
    training, _ = made.latents("student")
    clip = training.clips[0]
    encoder = load_text_encoder(made.student, read_yaml(made.student.config_file()))
    seen = torch.from_numpy(training.text.tokens(0))
    assert_close(seen, encoder([clip.caption], [clip.structured_caption])[0], rtol=1e-3, atol=1e-3)
    assert (seen - stock(folder)([clip.caption], [clip.structured_caption])[0]).abs().max() > 1e-2
    teachers, _ = made.latents("teacher")
    assert teachers.batch([0], torch.Generator())["text"].dtype == torch.int64


def test_a_teacher_with_a_trained_one_stands_in_for_training_it(
    folder: Path, finished: tuple[Recipe, str]
) -> None:
    made, _ = finished
    given = recipe(folder, f"parents.teacher={made.teacher.folder}", "text_encoder.t5=nowhere")
    assert given.student.folder == made.student.folder


def test_another_teacher_starts_from_the_trained_one(
    folder: Path, finished: tuple[Recipe, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = finished
    again = recipe(folder, TRAINABLE, f"teacher.initial={made.teacher.folder}")
    objectives: list[DiffusionObjective] = []

    def make(
        identity: Identity, objective: Callable[[], DiffusionObjective], *_: object, **__: object
    ) -> Artifact:
        objectives.append(objective())
        assert identity.content["text_encoder"]["trainable"]
        return made.teacher

    monkeypatch.setattr(again.runner, "make", make)
    assert again.teacher
    (objective,) = objectives
    _, t5 = parts(load_text_encoder(made.teacher, read_yaml(made.teacher.config_file())))
    assert_close(dict(objective.trained["text_model"].state_dict()), t5, rtol=0, atol=0)
    t5_parameters = {id(parameter) for parameter in objective.trained["text_model"].parameters()}
    assert t5_parameters < {id(parameter) for parameter in objective.parts()["model"]}


def test_a_frozen_one_is_what_it_was_before_there_was_the_setting(
    folder: Path, finished: tuple[Recipe, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The identity and the hash of the settings know nothing of it; with it they are others."""
    before, teachers, found = StageRunner.make, list[Identity](), []

    def make(runner: StageRunner, identity: Identity, *given: Any, **named: Any) -> Artifact:
        if identity.stage != "teacher":
            return before(runner, identity, *given, **named)
        teachers.append(identity)
        return finished[0].teacher

    monkeypatch.setattr(StageRunner, "make", make)
    absent = composed(folder)
    del absent["text_encoder"]["trainable"]
    for cfg in (
        composed(folder),
        absent,
        composed(folder, "text_encoder.trainable=false"),
        composed(folder, TRAINABLE),
    ):
        made = Recipe(cfg)
        assert made.teacher
        found.append((teachers[-1].hash, settings_fingerprint(made.cfg)))
    assert found[0] == found[1]
    assert found[0][0] == found[2][0] != found[3][0] == finished[0].teacher.hash
    assert found[0][1] != found[3][1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trainer.teacher.snapshots=[2]"], "snapshots keeps networks without the text encoder"),
        (["parents.teacher={teacher}"], "parents.teacher=.* is finished, with a text encoder of its own"),
        (["text_encoder.trainable=3"], "text_encoder.trainable=3 is of type int"),
    ],
)
def test_what_cannot_be_is_refused(
    folder: Path, finished: tuple[Recipe, str], words: list[str], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        recipe(folder, TRAINABLE, *(word.format(teacher=finished[0].teacher.folder) for word in words))


def test_the_hashed_one_has_nothing_to_train() -> None:
    GlobalHydra.instance().clear()
    with pytest.raises(
        UserError, match="text_encoder=hashed has no trainable; these have: text_encoder=clap_t5"
    ):
        compose([TRAINABLE])
