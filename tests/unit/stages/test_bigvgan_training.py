"""BigVGAN's training as a stage: what it starts from, where it goes on, what it leaves, and what it refuses."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_bigvgan
import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file
from torch import Tensor

from audiolcm.configuration.build import build
from audiolcm.configuration.kept import load_yaml, read_yaml
from audiolcm.configuration.schema import compose
from audiolcm.data.loading.dataset import WaveformClips
from audiolcm.environment.interrupts import Interrupted
from audiolcm.errors import UserError
from audiolcm.jobs.foresight import foresee
from audiolcm.models.bigvgan import BigVGAN
from audiolcm.objectives.bigvgan import BigVGANObjective
from audiolcm.published.models import open_vocoder
from audiolcm.stages.recipe import Recipe
from audiolcm.weights.artifacts import Artifact

MEL = torch.full((1, 80, 8), -2.0) + torch.linspace(-1, 1, 80)[None, :, None]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bigvgan")


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    return tiny_bigvgan.save(place / "published")


def recipe(place: Path, artifacts: Path, *words: str) -> Recipe:
    GlobalHydra.instance().clear()
    paths = [f"paths.cache={place / 'cache'}", f"paths.artifacts={artifacts}", f"paths.runs={place / 'runs'}"]
    data = ["dataset.num_train=4", "dataset.num_validation=2", "dataset.num_test=2", "dataset.duration=2.0"]
    length = ["trainer.vocoder.steps=4", "trainer.vocoder.batch_size=2", "trainer.vocoder.checkpoint_every=1"]
    others = ["trainer=smoke", "logger=jsonl", "hardware=cpu_float32", "hardware.num_threads=1"]
    return Recipe(compose([*others, *tiny_bigvgan.WORDS, *words, *data, *length, *paths]))


def finetuned(place: Path, artifacts: Path, folder: Path, *words: str) -> Recipe:
    return recipe(place, artifacts, "vocoder=bigvgan_finetuned", f"vocoder.model.path={folder}", *words)


def scratch(place: Path, artifacts: Path, *words: str) -> Recipe:
    sizes = [f"vocoder.model.{name}={value}".replace(" ", "") for name, value in tiny_bigvgan.SIZES.items()]
    return recipe(place, artifacts, "vocoder=bigvgan_scratch", *sizes, *words)


class Begun(Exception):
    """A training would begin now."""


def begun(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> tuple[str, BigVGANObjective]:
    """Return the hash of the vocoder that would be trained, and what its training begins with."""
    kept: list[Any] = []

    def make(identity: Any, objective: Callable[[], Any], *_: object, **__: object) -> Any:
        kept.extend([identity.hash, objective()])
        raise Begun

    monkeypatch.setattr(recipe.runner, "make", make)
    with pytest.raises(Begun):
        assert recipe.vocoder
    return kept[0], kept[1]


def sound(artifact: Artifact) -> Tensor:
    """Return what a kept vocoder makes of a mel, opened as generation does."""
    cfg = read_yaml(artifact.config_file())["vocoder"]["model"]
    return artifact.load_weights(build(cfg, "vocoder.model"))(MEL)


def test_it_begins_as_the_published_vocoder(
    place: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, objective = begun(finetuned(place, tmp_path, folder), monkeypatch)
    expected = BigVGAN.from_published(folder)(MEL)
    assert 0.01 < expected.std() < 0.9
    torch.testing.assert_close(objective.trained["generator"](MEL), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(objective.product()(MEL), expected, rtol=1e-5, atol=1e-6)
    file = torch.load(folder / "best_netG.pt", weights_only=True)["generator"]
    begins = objective.trained["generator"].state_dict()
    for name in ("conv_pre", "ups.1.0", "resblocks.0.convs1.1"):
        for number, part in enumerate("gv"):
            kept = begins[f"{name}.parametrizations.weight.original{number}"]
            torch.testing.assert_close(kept, file[f"{name}.weight_{part}"], rtol=0, atol=0)


def test_a_vocoder_is_known_by_what_it_is_made_from(
    place: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, other = shutil.copytree(folder, tmp_path / "copy"), tiny_bigvgan.save(tmp_path / "other", seed=1)
    hashes = [
        begun(made, monkeypatch)[0]
        for made in (
            finetuned(place, tmp_path, folder),
            finetuned(place, tmp_path, other),
            finetuned(place, tmp_path, folder, "vocoder.objective.mel_weight=15.0"),
            finetuned(place, tmp_path, folder, "trainer.vocoder.lr_decay=null"),
            scratch(place, tmp_path),
        )
    ]
    assert len(set(hashes)) == 5
    assert begun(finetuned(place, tmp_path, copy), monkeypatch)[0] == hashes[0]


def test_it_goes_on_where_it_was_stopped_and_serves_without_the_published_files(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_bigvgan.save(tmp_path / "published")
    published = BigVGAN.from_published(folder)(MEL)
    straight = finetuned(place, tmp_path / "straight", folder).vocoder
    asked, read = [], WaveformClips.batch

    def stopping(clips: WaveformClips, *given: Any) -> Any:
        asked.append(1)
        if len(asked) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return read(clips, *given)

    with monkeypatch.context() as patch:
        patch.setattr(WaveformClips, "batch", stopping)
        with pytest.raises(Interrupted):
            assert finetuned(place, tmp_path / "stopped", folder).vocoder
    resumed = finetuned(place, tmp_path / "stopped", folder).vocoder
    assert (resumed.card["resumed_from_step"], straight.card["resumed_from_step"]) == (3, 0)
    assert (resumed.hash, resumed.weights_hash) == (straight.hash, straight.weights_hash)
    assert straight.card["derived_from"][0]["name"] == "BigVGAN"

    shutil.rmtree(folder)
    trained = sound(open_vocoder(straight.folder))
    assert float((trained - published).abs().max()) > 1e-4
    assert load_yaml(straight.config_file())["vocoder"]["model"]["_target_"].endswith("bigvgan.BigVGAN")
    given = scratch(place, tmp_path / "third", f"parents.vocoder={straight.folder}").vocoder
    torch.testing.assert_close(sound(given), trained, rtol=0, atol=0)


def test_from_random_weights_no_other_stage_is_made(place: Path, tmp_path: Path) -> None:
    made = scratch(place, tmp_path).vocoder
    assert [path.name for path in tmp_path.iterdir()] == ["vocoder"]
    assert made.card["parents"] == {} == made.card["made_from"]["parents"]
    assert set(load_file(made.weights_file())) == set(BigVGAN(**tiny_bigvgan.SIZES).state_dict())
    assert sound(made).shape == (1, 8 * 256)


def test_behind_an_autoencoder_where_a_share_is_asked_for(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["vocoder.objective.reconstructed_share=0.5", "parents.autoencoder=embedded:foley/autoencoder"]
    _, objective = begun(scratch(place, tmp_path, *words), monkeypatch)
    assert objective.given.share == 0.5
    assert objective.given.autoencoder is not None


def test_numbers_are_bigvgans_and_of_other_vocoders_the_trainers() -> None:
    GlobalHydra.instance().clear()
    ours, istft = (compose(["profile=paper", f"vocoder={name}"]) for name in ("bigvgan_finetuned", "istft"))
    numbers = {"learning_rate": 1e-4, "clip_norm": 1000.0, "crop_seconds": 8192 / 16000, "batch_size": 32}
    assert (
        ours["trainer"]["vocoder"].items() >= (numbers | {"lr_decay": 0.9999996, "warmup_steps": 0}).items()
    )
    optimizer = ours["vocoder"]["optimizer"]
    assert (optimizer["beta1"], optimizer["beta2"], optimizer["weight_decay"]) == (0.8, 0.99, 0.01)
    assert ours["trainer"] | {"vocoder": istft["trainer"]["vocoder"]} == istft["trainer"]
    assert "lr_decay" not in istft["trainer"]["vocoder"]
    assert (istft["trainer"]["vocoder"]["learning_rate"], istft["trainer"]["vocoder"]["clip_norm"]) == (
        2e-4,
        1.0,
    )


def wrong_layout(folder: Path) -> None:
    state = torch.load(folder / "best_netG.pt", weights_only=True)["generator"]
    del state["conv_pre.weight_g"]
    torch.save({"generator": state}, folder / "best_netG.pt")


@pytest.mark.parametrize(
    ("damage", "words", "message"),
    [
        (shutil.rmtree, (), "published does not exist. Set vocoder.model.path"),
        (wrong_layout, (), r"missing conv_pre\.weight_g"),
        (lambda _: None, ("vocoder.objective.mpd.periods=[0]",), r"mpd\.periods=\[0\]"),
        (lambda _: None, ("vocoder.objective.reconstructed_share=2.0",), "reconstructed_share=2.0 is out of"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_trains(
    place: Path, tmp_path: Path, damage: Callable[[Path], None], words: tuple[str, ...], message: str
) -> None:
    folder = tiny_bigvgan.save(tmp_path / "published")
    damage(folder)
    with pytest.raises(UserError, match=message):
        foresee(finetuned(place, tmp_path / "artifacts", folder, *words))
