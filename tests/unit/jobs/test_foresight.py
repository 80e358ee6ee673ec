"""What a later stage of a training would refuse is refused before the first one trains."""

import sys
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.jobs.foresight import _without_content, foresee
from audiolcm.stages.recipe import Recipe


def foreseen(place: Path, *overrides: str) -> None:
    GlobalHydra.instance().clear()
    paths = [f"paths.{name}={place / name}" for name in ("artifacts", "cache", "runs")]
    foresee(Recipe(compose(["trainer=smoke", "logger=jsonl", "vocoder=istft", *paths, *overrides])))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("vocoder.objective.reconstructed_share=3.0", "reconstructed_share=3.0 is out of range"),
        ("objective.diffusion.caption_dropout=2.0", "caption_dropout=2.0 is out of range"),
        ("objective.diffusion.loss_weighting=mine", "loss_weighting=mine: choose"),
        ("optimizer.beta1=1.0", "optimizer of the autoencoder: Invalid beta"),
        ("trainer.autoencoder.accumulate=2", "trainer.autoencoder.accumulate=2: the adversarial losses"),
        (
            "autoencoder/objective=released trainer.autoencoder.batch_size=6",
            "6 examples at once.* groups of 4",
        ),
        ("dataset=manifest dataset.mels=true", "without the sounds that a vocoder is trained on"),
        ("paths.artifacts=/proc/none", "/proc/none .*paths.artifacts=FOLDER"),
        ("paths.cache=/proc/none", "/proc/none .*paths.cache=FOLDER"),
    ],
)
def test_later_stages_are_looked_at_first(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        foreseen(tmp_path, *override.split())


def test_a_look_ahead_draws_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    foreseen(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


class NeedsNumbers(torch.nn.Module):
    """A class of other people's that computes with its own numbers while it is built."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = float(torch.rand(3).max())


def test_a_class_that_needs_numbers_is_left_to_its_stage() -> None:
    node = {"_target_": "stand_in.NeedsNumbers"}
    for made in (NeedsNumbers, lambda: build(node, "objective")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("audiolcm.configuration.build.check", lambda *_: None)
            patch.setitem(sys.modules, "stand_in", sys.modules[__name__])
            with _without_content():
                made()
            with pytest.raises(UserError, match="is bad"), _without_content():
                raise UserError("the setting is bad")


def test_what_is_given_is_not_looked_at(tmp_path: Path) -> None:
    foreseen(tmp_path, "vocoder=griffin_lim", "objective.diffusion.caption_dropout=0.0")
