"""AudioLDM, AudioLDM 2 and MusicLDM in miniature, from their folders to sound."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

pytest.importorskip("diffusers")

import tiny_models
from tiny_models import CAPTIONS

from audiolcm.audio.io import read_audio
from audiolcm.data.manifest import Clip
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from evaluation.efficiency import Efficiency, Timed
from evaluation.protocol import ProtocolItem, TestSet
from evaluation.systems.candidates import text_vectors
from evaluation.systems.pipelines import AudioLDM, AudioLDM2, MusicLDM
from evaluation.systems.system import System

HARDWARE = Hardware("cpu", "float32")
SECONDS = 0.315  # neither whole frames nor a whole number of latents
FAMILIES = {
    "audioldm": (AudioLDM, tiny_models.save_audioldm),
    "musicldm": (MusicLDM, tiny_models.save_musicldm),
    "audioldm2": (AudioLDM2, tiny_models.save_audioldm2),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: save(tmp_path_factory.mktemp(name)) for name, (_, save) in FAMILIES.items()}


@pytest.fixture(params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def system(name: str, folder: Path | str, **settings):
    settings = {"num_steps": 3, "guidance_scale": 2.5, "batch_size": 3} | settings
    return FAMILIES[name][0](name, str(folder), "CC-BY-NC-SA-4.0", HARDWARE, **settings)


def items() -> TestSet:
    clips = [Clip(f"c{i}", None, caption, "", 1.0, "test", ()) for i, caption in enumerate(CAPTIONS)]
    return TestSet(
        tuple(ProtocolItem(f"{clip.name}__0", clip, Path("/none.wav")) for clip in clips),
        SECONDS,
        "01",
        "mine",
    )


def test_sounds_have_the_length_and_depend_on_caption_and_seed_alone(name, folders):
    made = system(name, folders[name])
    assert isinstance(made, System) and isinstance(made, Timed)
    together = made.generate(CAPTIONS, SECONDS, [5, 6, 7])
    assert [sound.shape for sound in together.waveforms] == [(round(SECONDS * 16000),)] * 3
    assert together.nfe == 3 and made.facts()["nfe"] == 3
    assert all(0.01 < np.abs(sound).max() <= 1 for sound in together.waveforms)
    for i, (caption, seed) in enumerate(zip(CAPTIONS, (5, 6, 7), strict=True)):
        alone = made.generate([caption], SECONDS, [seed]).waveforms[0]
        np.testing.assert_allclose(alone, together.waveforms[i], atol=2e-5)
    other_seed, other_caption = (
        made.generate([caption], SECONDS, [seed]).waveforms[0]
        for caption, seed in ((CAPTIONS[0], 6), (CAPTIONS[1], 5))
    )
    for other in (other_seed, other_caption):
        assert np.abs(other - together.waveforms[0]).max() > 1e-3


def test_files_are_made_once_and_named_by_everything_that_decides_them(name, folders, tmp_path):
    first = system(name, folders[name]).sounds(items(), 0, tmp_path)
    assert [len(read_audio(path)) for path in first] == [round(SECONDS * 16000)] * 3
    changed = [path.stat().st_mtime_ns for path in first]
    again = system(name, folders[name], batch_size=1)
    assert again.sounds(items(), 0, tmp_path) == first
    assert [path.stat().st_mtime_ns for path in first] == changed
    assert "nfe" not in again.facts()
    for settings in ({"num_steps": 2}, {"guidance_scale": 1.0}):
        other = system(name, folders[name], **settings).sounds(items(), 0, tmp_path)
        assert other[0].parent != first[0].parent
    copy = shutil.copytree(folders[name], tmp_path / "copy")
    assert system(name, copy).sounds(items(), 0, tmp_path) == first
    (copy / "scheduler/scheduler_config.json").write_text("{}")
    assert system(name, copy).sounds(items(), 0, tmp_path)[0] != first[0]


def test_the_library_alone_makes_the_same_sound(folders):
    made = system("audioldm", folders["audioldm"])
    theirs = made.pipe(
        CAPTIONS[0], audio_length_in_s=0.32, num_inference_steps=3, guidance_scale=2.5,
        generator=torch.Generator().manual_seed(9),
    ).audios[0]  # fmt: skip
    ours = made.generate([CAPTIONS[0]], SECONDS, [9]).waveforms[0]
    np.testing.assert_allclose(ours, (theirs / max(1, np.abs(theirs).max()))[: len(ours)], atol=2e-5)


def test_gpt2_continues_as_without_its_cache(folders):
    made = system("audioldm2", folders["audioldm2"])
    start, mask = torch.randn(2, 5, tiny_models.WIDTH), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 1]])
    with torch.no_grad():
        found = made.pipe.generate_language_model(start, attention_mask=mask, max_new_tokens=8)
        states = start
        for _ in range(8):
            ones = torch.ones(2, states.shape[1] - 5, dtype=mask.dtype)
            last = made.pipe.language_model(
                inputs_embeds=states, attention_mask=torch.cat([mask, ones], 1), use_cache=False
            ).last_hidden_state[:, -1:]
            states = torch.cat([states, last], 1)
    assert found.shape == (2, 8, tiny_models.WIDTH)
    torch.testing.assert_close(found, states[:, 5:], atol=1e-5, rtol=1e-5)


def test_musicldm_reads_claps_vectors_of_length_one(folders):
    made = system("musicldm", folders["musicldm"])
    with torch.no_grad():
        vectors = text_vectors(made.pipe.text_encoder, made.pipe.tokenizer, CAPTIONS)
        clap, tokens = (
            made.pipe.text_encoder,
            made.pipe.tokenizer(CAPTIONS[0], truncation=True, padding="max_length"),
        )
        pooled = clap.text_model(
            torch.tensor([tokens["input_ids"]]), torch.tensor([tokens["attention_mask"]])
        ).pooler_output
        expected = torch.nn.functional.normalize(clap.text_projection(pooled), dim=-1)
    torch.testing.assert_close(vectors[:1], expected)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3))


def test_a_timing_has_a_total_and_no_stages(folders, caplog):
    made = system("audioldm", folders["audioldm"], batch_size=2)
    [one, two] = Efficiency(num_clips=2, num_warmup=1, batch_sizes=[1, 2, 8]).measure(
        made, items().items, SECONDS
    )
    assert "batches of [8]: the system makes 2 at once" in caplog.text
    assert (one.stages, one.sampler, one.rtf_sampler, one.nfe, two.batch_size) == ({}, {}, None, 3, 2)
    assert one.rtf_total == pytest.approx(one.total["median"] / SECONDS)


def test_bfloat16_is_for_the_denoiser_alone(folders):
    made = system("audioldm", folders["audioldm"])
    made.hardware = Hardware("cpu", "bfloat16")
    exact = system("audioldm", folders["audioldm"]).generate(CAPTIONS[:1], SECONDS, [5]).waveforms[0]
    rough = made.generate(CAPTIONS[:1], SECONDS, [5]).waveforms[0]
    assert 0 < np.abs(rough - exact).max() < 0.2 * np.abs(exact).max()


def test_weights_that_are_missing_are_not_made_up(name, folders, tmp_path):
    for part, file in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        copy = shutil.copytree(folders[name], tmp_path / part)
        weights = load_file(copy / part / f"{file}.safetensors")
        lost = sorted(key for key in weights if key.endswith("weight"))[3]
        save_file(
            {k: v for k, v in weights.items() if k != lost},
            copy / part / f"{file}.safetensors",
            {"format": "pt"},
        )
        with pytest.raises(UserError, match=rf"miss parts of .*{lost.split('.')[-2]}.*Copy all files"):
            system(name, copy).generate(CAPTIONS[:1], SECONDS, [0])


def test_a_tokenizer_without_its_files_is_refused(folders, tmp_path):
    copy = shutil.copytree(folders["audioldm"], tmp_path / "copy")
    (copy / "tokenizer/tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"hf download|the same tokens"):
        system("audioldm", copy).generate(CAPTIONS[:1], SECONDS, [0])


def test_a_damaged_pipeline_is_refused(folders, tmp_path):
    copy = shutil.copytree(folders["audioldm"], tmp_path / "copy")
    (copy / "scheduler/scheduler_config.json").unlink()
    with pytest.raises(UserError, match=r"is no AudioLDMPipeline.*Copy all files"):
        system("audioldm", copy).generate(CAPTIONS[:1], SECONDS, [0])


def test_weights_under_the_names_of_older_releases_are_read(folders, tmp_path):
    """As cvssp/audioldm has them, of early 2023."""
    copy = shutil.copytree(folders["audioldm"], tmp_path / "copy")
    file = copy / "vae/diffusion_pytorch_model.safetensors"
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    old = {}
    for key, tensor in load_file(file).items():
        for new_name, old_name in names.items():
            key = key.replace(f"attentions.0.{new_name}", f"attentions.0.{old_name}")
        old[key] = tensor
    assert sum("proj_attn" in key for key in old) == 4
    save_file(old, file, {"format": "pt"})
    ours, theirs = (
        system("audioldm", place).generate(CAPTIONS[:1], SECONDS, [0]).waveforms[0]
        for place in (copy, folders["audioldm"])
    )
    np.testing.assert_array_equal(ours, theirs)


def test_without_files_one_message_says_what_to_type(name, tmp_path):
    with pytest.raises(UserError) as error:
        system(name, "nobody/nothing").generate(CAPTIONS[:1], SECONDS, [0])
    message = str(error.value)
    assert all(
        words in message for words in ("hf download nobody/nothing", "HF_HOME=FOLDER", "system.model=FOLDER")
    )
    with pytest.raises(UserError, match=r"model_index\.json is missing"):
        system(name, tmp_path).generate(CAPTIONS[:1], SECONDS, [0])


def test_a_missing_package_is_named_with_the_extra(folders, monkeypatch):
    monkeypatch.setattr("evaluation.systems.hub.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r'needs diffusers: type pip install -e "\.\[baselines\]"'):
        system("audioldm", folders["audioldm"]).generate(CAPTIONS[:1], SECONDS, [0])


@pytest.mark.parametrize("settings", [{"num_steps": 0}, {"batch_size": 0}])
def test_numbers_below_one_are_refused(settings, folders):
    with pytest.raises(UserError, match="must be 1 or more"):
        system("audioldm", folders["audioldm"], **settings)
