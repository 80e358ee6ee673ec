"""DDIM with noise, and the best of several sounds by CLAP, as AudioLDM's authors run their models."""

import json
import logging
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers")

import tiny_models
from packages import needs_package
from tiny_models import CAPTIONS
from transformers import ClapModel, ClapTextModelWithProjection

from audiolcm.candidates import candidate_seeds
from audiolcm.data.manifest import Clip
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from evaluation.efficiency import Efficiency
from evaluation.protocol import ProtocolItem
from evaluation.systems.candidates import Judge
from evaluation.systems.pipelines import AudioLDM, AudioLDM2, MusicLDM

SECONDS, SEEDS = 0.32, [5, 6, 7]
FAMILIES = {
    "audioldm": (AudioLDM, tiny_models.save_audioldm),
    "musicldm": (MusicLDM, tiny_models.save_musicldm),
    "audioldm2": (AudioLDM2, tiny_models.save_audioldm2),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    saved = {name: save(tmp_path_factory.mktemp(name)) for name, (_, save) in FAMILIES.items()}
    return saved | {"clap": tiny_models.save_clap(tmp_path_factory.mktemp("clap"))}


def system(name: str, folders: dict[str, Path], **settings):
    settings = {"num_steps": 3, "guidance_scale": 2.5, "eta": 1.0, "num_waveforms_per_prompt": 3} | settings
    settings |= {"clap": str(folders["clap"])} if name == "audioldm" and "clap" not in settings else {}
    hardware = Hardware("cpu", "float32")
    return FAMILIES[name][0](name, str(folders[name]), "CC-BY-NC-SA-4.0", hardware, batch_size=3, **settings)


def cosines_by_hand(clap: ClapModel, made, caption: str, sounds: list[np.ndarray]) -> torch.Tensor:
    """The whole network of transformers on one second at 48 kHz: a sound as often as it fits whole, then zeros."""
    needs_package("torchaudio")
    from torchaudio.functional import resample

    heard = []
    for sound in sounds:
        once = resample(torch.from_numpy(sound), 16000, 48000).numpy()
        whole = np.concatenate([once] * (48000 // len(once)))
        heard.append(np.concatenate([whole, np.zeros(48000 - len(whole), np.float32)]))
    mels = tiny_models.clap_features()(
        heard, sampling_rate=48000, truncation="rand_trunc", return_tensors="pt"
    )
    tokens = made.pipe.tokenizer([caption], truncation=True, return_tensors="pt")
    with torch.no_grad():
        found = clap(
            input_ids=tokens.input_ids,
            attention_mask=tokens.attention_mask,
            input_features=mels.input_features,
        )
    return found.logits_per_text[0] / clap.logit_scale_t.exp()


@pytest.mark.parametrize("name", FAMILIES)
def test_of_each_captions_own_candidates_the_nearest_is_returned(name, folders):
    made = system(name, folders)
    single = system(name, folders, num_waveforms_per_prompt=1)
    clap = ClapModel.from_pretrained(folders["clap"]) if name == "audioldm" else made.pipe.text_encoder
    together = made.generate(CAPTIONS, SECONDS, SEEDS)
    chosen = []
    for caption, seed, sound in zip(CAPTIONS, SEEDS, together.waveforms, strict=True):
        candidates = [
            single.generate([caption], SECONDS, [of_it]).waveforms[0]
            for of_it in (candidate_seeds([seed], candidate)[0] for candidate in range(3))
        ]
        expected = cosines_by_hand(clap, made, caption, candidates)
        with torch.no_grad():
            found = made.judge.cosines(caption, np.stack(candidates), 16000)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        np.testing.assert_allclose(sound, candidates[int(expected.argmax())], atol=2e-5)
        np.testing.assert_allclose(sound, made.generate([caption], SECONDS, [seed]).waveforms[0], atol=2e-5)
        chosen.append(int(expected.argmax()))
    assert any(chosen)  # not just the first of each


@pytest.mark.parametrize("name", FAMILIES)
def test_all_candidates_are_counted_and_timed(name, folders, monkeypatch):
    made = system(name, folders)
    assert made.generate(CAPTIONS[:1], SECONDS, [5]).nfe == 9 == made.facts()["nfe"]
    judged = []
    monkeypatch.setattr(
        Judge, "cosines", lambda _, caption, sounds, rate: judged.append(len(sounds)) or sounds[:, 0]
    )
    clip = Clip("c", None, CAPTIONS[0], "", 1.0, "test", ())
    [timing] = Efficiency(num_clips=2, num_warmup=1, batch_sizes=[1]).measure(
        made, [ProtocolItem("c__0", clip, Path("/none.wav"))], SECONDS
    )
    assert timing.nfe == 9 and judged == [3, 3, 3]


def test_noise_in_the_steps_is_that_of_the_library(folders):
    made = system("audioldm", folders, num_waveforms_per_prompt=1)
    theirs = made.pipe(
        CAPTIONS[0], audio_length_in_s=SECONDS + 1e-5, num_inference_steps=3, guidance_scale=2.5, eta=1.0,
        generator=torch.Generator().manual_seed(9),
    ).audios[0]  # fmt: skip
    ours = made.generate([CAPTIONS[0]], SECONDS, [9]).waveforms[0]
    np.testing.assert_allclose(ours, theirs[: len(ours)], atol=2e-5)
    without = system("audioldm", folders, num_waveforms_per_prompt=1, eta=0.0).generate(
        [CAPTIONS[0]], SECONDS, [9]
    )
    assert np.abs(without.waveforms[0] - ours).max() > 1e-3


@pytest.mark.parametrize("num_steps", [100, 200])
def test_the_published_scheduler_takes_the_authors_steps(num_steps):
    """Timesteps c i + 1, c = 1000 // n, the last of them to timestep 0; DDIM's equations 12 and 16 with eta = 1."""
    scheduler = tiny_models.scheduler()
    betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
    alphas = torch.cumprod(1 - betas, 0)
    visited = [1000 // num_steps * i + 1 for i in range(num_steps)]
    scheduler.set_timesteps(num_steps)
    assert scheduler.timesteps.tolist() == visited[::-1]
    ours = theirs = torch.randn(1, 4, 8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for i in reversed(range(num_steps)):
        noise = torch.randn(ours.shape, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        now, then = float(alphas[visited[i]]), float(alphas[visited[i - 1] if i else 0])
        sigma = math.sqrt((1 - then) / (1 - now) * (1 - now / then))
        predicted = torch.tanh(ours)
        clean = (ours - math.sqrt(1 - now) * predicted) / math.sqrt(now)
        ours = math.sqrt(then) * clean + math.sqrt(1 - then - sigma**2) * predicted + sigma * noise
        theirs = scheduler.step(
            torch.tanh(theirs), visited[i], theirs, eta=1.0, variance_noise=noise
        ).prev_sample
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-4 * float(ours.abs().max()))


def test_a_scheduler_that_would_ignore_eta_is_refused(folders, tmp_path):
    copy = shutil.copytree(folders["audioldm2"], tmp_path / "copy")
    index = json.loads((copy / "model_index.json").read_text())
    (copy / "model_index.json").write_text(json.dumps(index | {"scheduler": ["diffusers", "PNDMScheduler"]}))
    changed = folders | {"audioldm2": copy}
    with pytest.raises(UserError, match=r"system\.eta=1 is for DDIM: PNDMScheduler.*Type system\.eta=0"):
        _ = system("audioldm2", changed).folder  # before anything is loaded
    assert system("audioldm2", changed, eta=0.0, num_steps=8).generate(CAPTIONS[:1], SECONDS, [0]).waveforms


def test_audioldm_is_judged_by_a_clap_of_both_halves(folders, tmp_path, caplog):
    with pytest.raises(
        UserError, match=r"only CLAP's half for captions.*system\.clap=laion/clap-htsat-unfused"
    ):
        _ = system("audioldm", folders, clap=None).folder
    with pytest.raises(UserError, match=r"(?s)nobody/clap.*system\.clap=FOLDER"):
        system("audioldm", folders, clap="nobody/clap").generate(CAPTIONS[:1], SECONDS, [0])
    broken = shutil.copytree(folders["clap"], tmp_path / "clap")
    (broken / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match=r"says not what CLAP hears.*leave system\.clap="):
        system("audioldm", folders, clap=str(broken)).generate(CAPTIONS[:1], SECONDS, [0])
    assert system("audioldm", folders, clap=None, num_waveforms_per_prompt=1).generate(
        CAPTIONS[:1], SECONDS, [0]
    )
    with caplog.at_level(logging.WARNING):
        _ = system("audioldm", folders).judge
        assert "another one than that of" in caplog.text
        caplog.clear()
        copy = shutil.copytree(folders["audioldm"], tmp_path / "copy")
        weights = ClapModel.from_pretrained(folders["clap"]).state_dict()
        half = ClapTextModelWithProjection(tiny_models.clap_text_config())
        half.load_state_dict({name: weights[name] for name in half.state_dict()})
        half.save_pretrained(copy / "text_encoder")
        _ = system("audioldm", folders | {"audioldm": copy}).judge
        assert "another one" not in caplog.text


def test_short_sounds_are_made_longer_and_cut(folders):
    made = system("musicldm", folders, num_waveforms_per_prompt=1, min_seconds=0.64)
    longer = (
        system("musicldm", folders, num_waveforms_per_prompt=1).generate(CAPTIONS[:1], 0.64, [5]).waveforms[0]
    )
    found = made.generate(CAPTIONS[:1], SECONDS, [5]).waveforms[0]
    np.testing.assert_array_equal(found, longer[: round(SECONDS * 16000)])


@pytest.mark.parametrize("settings", [{"eta": -0.1}, {"eta": 1.5}, {"num_waveforms_per_prompt": 0}])
def test_numbers_out_of_range_are_refused(settings, folders):
    with pytest.raises(UserError, match=r"system\.(eta|num_waveforms_per_prompt)=.* must be"):
        system("musicldm", folders, **settings)
