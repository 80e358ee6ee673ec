"""Parts of released files in one's own training: an autoencoder alone or within a file, the text encoder, a vocoder."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from released_file import Layout, random_state, save, save_bigvgan, save_tokenizers, small_layout
from safetensors.torch import load_file

from audiolcm.assembly import load_text_encoder
from audiolcm.configuration.fingerprint import settings_made
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.models.clap_t5 import ReleasedTextEncoder
from audiolcm.objectives.objective import Objective
from audiolcm.published.models import open_model, open_part
from audiolcm.stages.recipe import Recipe
from audiolcm.weights.artifacts import Artifact, Identity
from audiolcm.weights.place import FOLEY

TINY = [
    "trainer=smoke",
    "logger=jsonl",
    "dataset.num_train=4",
    "dataset.num_validation=2",
    "dataset.num_test=2",
]
MAA2 = "published:make_an_audio_2"


@pytest.fixture
def files(released_layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with a small maa2.ckpt, and ae.ckpt with its autoencoder alone."""
    monkeypatch.setenv("AUDIOLCM_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    state = random_state(small_layout(released_layout), "make_an_audio_2")
    save(state, tmp_path / "maa2.ckpt")
    own = {n.removeprefix("first_stage_model."): t for n, t in state.items() if n.startswith("first_stage")}
    save(own | {"loss.logvar": torch.zeros(())}, tmp_path / "ae.ckpt")
    save_tokenizers(tmp_path)
    (tmp_path / "bert").rename(tmp_path / "bert-base-uncased")
    (tmp_path / "t5").rename(tmp_path / "t5-v1_1-large")
    return tmp_path


def recipe(folder: Path, *words: str) -> Recipe:
    GlobalHydra.instance().clear()
    places = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    return Recipe(compose([*TINY, *places, *words]))


def test_the_scale_of_an_autoencoder_alone_is_measured_on_the_training_data(files: Path) -> None:
    """Once: 1 / std of the latents of the training split, as a teacher's training measures it."""
    made = recipe(files, f"parents.autoencoder={files / 'ae.ckpt'}")
    artifact = made.autoencoder
    assert artifact.folder.parent == files / "artifacts" / "autoencoder"
    assert artifact.card["derived_from"][0]["file"] == "ae.ckpt"
    model = made.load_autoencoder()
    with torch.no_grad():
        latents = model.encode(made.spread_mels()).mode()
    assert float(model.scale_factor) == pytest.approx(1 / float(latents.std())) != 1.0
    before = load_file(open_part(files / "ae.ckpt", "autoencoder").weights_file())
    after = load_file(artifact.weights_file())
    assert all(torch.equal(after[name], before[name]) for name in before if name != "scale_factor")
    again = recipe(files, f"parents.autoencoder={files / 'ae.ckpt'}")
    assert again.autoencoder == artifact and "autoencoder" not in again.trained_stages()
    assert recipe(files, f"parents.autoencoder={artifact.folder}").autoencoder == artifact
    other = recipe(files, f"parents.autoencoder={files / 'ae.ckpt'}", "dataset.num_train=5")
    assert other.autoencoder.hash != artifact.hash


def test_the_autoencoder_of_a_published_file_keeps_the_scale_that_is_in_it(files: Path) -> None:
    made = recipe(files, f"parents.autoencoder={MAA2}")
    assert made.autoencoder == open_model(MAA2).parent("autoencoder")
    assert float(made.load_autoencoder().scale_factor) == 0.75
    assert made.cfg["teacher"]["initial"] is None


def test_the_published_text_encoder_is_that_of_ones_own_teacher(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe(files, f"parents.text_encoder={MAA2}", f"parents.autoencoder={MAA2}", "vocoder=griffin_lim")
    published = open_model(MAA2).parent("text_encoder")
    assert isinstance(made.text_encoder, ReleasedTextEncoder)
    assert made.cfg["parents"]["teacher"] is None and "teacher" in made.trained_stages()
    known: list[tuple[Identity, dict[str, Artifact], Objective]] = []

    def make(
        identity: Identity,
        objective: Callable[[], Objective],
        _: object,
        parents: dict[str, Artifact],
        **__: object,
    ) -> Artifact:
        known.append((identity, parents, objective()))
        return open_model(MAA2)

    monkeypatch.setattr(made.runner, "make", make)
    assert made.teacher
    ((identity, parents, objective),) = known
    assert parents["text_encoder"] == published
    assert identity.content["text_encoder"]["weights"] == made.text_identity["weights"]
    assert objective.product().network.plain_text_embedding.mlp[0].in_features == 48
    captions = ["a dog barks"], ["<a dog barks& all>"]
    expected = load_text_encoder(open_model(MAA2), made.cfg)(*captions)
    torch.testing.assert_close(made.text_encoder(*captions), expected, rtol=0, atol=0)
    by_folder = recipe(files, f"parents.text_encoder={published.folder}", "teacher=scratch")
    assert by_folder.text_artifact == published


@pytest.mark.parametrize("words", [[f"parents.teacher={FOLEY}"], [f"teacher.initial={FOLEY}"]])
def test_a_text_encoder_beside_a_teacher_that_has_its_own_is_refused(files: Path, words: list[str]) -> None:
    with pytest.raises(
        UserError, match=r"knows the text of its own encoder alone: leave out parents\.text_encoder"
    ):
        recipe(files, f"parents.text_encoder={MAA2}", *words)


def test_without_the_word_no_setting_is_another(files: Path) -> None:
    plain = compose([])
    named = plain | {"parents": {n: p for n, p in plain["parents"].items() if n != "text_encoder"}}
    assert settings_made(plain) == settings_made(named)


def test_a_vocoder_is_named_by_its_folder_or_its_file(files: Path) -> None:
    source = save_bigvgan(files / "bigvgan")
    by_folder, by_file = (recipe(files, f"parents.vocoder={p}") for p in (source, source / "best_netG.pt"))
    assert by_folder.vocoder.hash == by_file.vocoder.hash
    assert "vocoder" not in by_folder.trained_stages()
