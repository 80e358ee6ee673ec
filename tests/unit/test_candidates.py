"""Candidates, precision, conventions: what a call of the pipeline can be asked for besides its captions."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audiolcm import candidates
from audiolcm.candidates import DEFAULT_CLAP, candidate_seeds
from audiolcm.commands.cli import main
from audiolcm.configuration import schema
from audiolcm.diffusion.sampler import ConsistencySampler, NoiseSource, Sampled
from audiolcm.diffusion.schedule import ScaledLinearSchedule
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.pipeline import AudioLCM
from audiolcm.published.conventions import LENGTHS, OURS, RELEASED, Conventions
from audiolcm.sound import read_card
from audiolcm.weights.place import FOLEY

FLOAT32 = Hardware("cpu", "float32")


class Words(nn.Module):
    """A token of each caption's length."""

    num_tokens, width = 1, 1

    def forward(self, captions: list[str], structured: list[str]) -> Tensor:
        return torch.tensor([float(len(caption)) for caption in captions])[:, None, None]


class Noise(ConsistencySampler):
    """The noise itself, by a multiplication in the precision of the call."""

    def sample(
        self, denoiser: object, schedule: object, noise: NoiseSource, text: Tensor, unconditional: Tensor
    ) -> Sampled:
        return Sampled(torch.nn.functional.linear(noise.draw().mT, torch.eye(1)).mT.float(), nfe=2)


class Doubled(Autoencoder):
    """The decoded mel is four times its one latent channel: out of -5 to 2 at every second frame or so."""

    def __init__(self) -> None:
        super().__init__(channels=32, multipliers=(1, 2), num_res_blocks=1, latent_channels=1)

    def decode(self, z: Tensor, num_frames: int | None = None) -> Tensor:
        return 4 * z.expand(-1, 80, -1).repeat_interleave(2, dim=2)


class Remembers(nn.Module):
    """A vocoder that keeps the mel it got; the sound is a tenth of the mel's first band."""

    def forward(self, mel: Tensor) -> Tensor:
        self.heard = mel
        return mel[:, 0].repeat_interleave(256, dim=1) / 100


class Levels:
    """A CLAP of two dimensions: where a sound is the nearest to a caption is told by the sound's level."""

    name, sample_rate = "levels", 16000

    def extract(self, waveforms: Sequence[np.ndarray]) -> Sequence[Mapping[str, np.ndarray]]:
        return [{"embedding": _direction(float(np.mean(waveform)))[None]} for waveform in waveforms]

    def embed_captions(self, captions: Sequence[str]) -> np.ndarray:
        return np.stack([_direction(-1.0 if caption == "low" else 1.0) for caption in captions])


def _direction(level: float) -> np.ndarray:
    angle = np.arctan(1000 * level)
    return np.array([np.cos(angle), np.sin(angle)])


def pipeline(conventions: Conventions = OURS) -> AudioLCM:
    parts = (Words(), nn.Identity(), Doubled(), Remembers(), ScaledLinearSchedule(), Noise())
    return AudioLCM(*parts, hardware=FLOAT32, conventions=conventions)


def test_the_first_candidate_is_the_sound_of_one_and_the_others_are_others() -> None:
    assert candidate_seeds([0, 5], 0) == [0, 5]
    seeds = [candidate_seeds([0, 5], candidate) for candidate in range(20)]
    assert seeds == [candidate_seeds([0, 5], candidate) for candidate in range(20)]
    flat = [seed for pair in seeds for seed in pair]
    assert len(set(flat)) == len(flat) and all(0 <= seed < 2**63 for seed in flat)


def test_the_candidate_of_the_largest_cosine_is_kept_for_each_caption() -> None:
    model, clap = pipeline(), Levels()
    captions = ["low", "high"]
    single = [model(captions, 1.0, candidate_seeds([3, 3], candidate)) for candidate in range(4)]
    made = model(captions, 1.0, 3, candidates=4, clap=clap)
    means = [[float(one.waveforms[index].mean()) for one in single] for index in range(2)]
    best = [int(np.argmin(means[0])), int(np.argmax(means[1]))]
    assert best[0] != best[1]
    for index, chosen in enumerate(best):
        np.testing.assert_array_equal(made.waveforms[index], single[chosen].waveforms[index])
        np.testing.assert_array_equal(made.mels[index], single[chosen].mels[index])
        card = made[index].card
        assert (card["candidates"], card["candidate"], card["clap"]) == (4, chosen, "levels")
        assert card["seed"] == candidate_seeds([3], chosen)[0]
        assert max(card["clap_scores"]) == card["clap_scores"][chosen]
        alone = model(captions[index], 1.0, card["seed"])
        np.testing.assert_array_equal(alone.waveforms[0], made.waveforms[index])
    assert made.nfe == made[0].card["nfe"] == 8
    assert set(made.seconds) == {"text", "denoiser", "decoder", "vocoder", "clap"}
    assert made.rtf == pytest.approx(sum(made.seconds.values()) / 2.0)


def test_of_equal_candidates_the_first_is_kept() -> None:
    model, clap = pipeline(), Levels()
    clap.extract = lambda waveforms: [{"embedding": np.array([[1.0, 0.0]])}] * len(waveforms)
    plain = model("low", 1.0, 3)
    made = model("low", 1.0, 3, candidates=3, clap=clap)
    np.testing.assert_array_equal(made.waveforms, plain.waveforms)
    assert "candidate" not in plain[0].card and made[0].card["candidate"] == 0


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"candidates": 0}, "candidates=0 is out of range"),
        ({"candidates": True}, "candidates=True must be a whole number"),
        (
            {"candidates": 2, "clap": "vggish"},
            "clap=vggish is unknown: choose laion_630k_audioset, .*hf_clap",
        ),
        ({"candidates": 2}, r"cannot be ranked without CLAP[\s\S]*hf download laion/clap-htsat-unfused"),
        ({"precision": "float16"}, "precision=float16: choose auto, float32, bfloat16, int8"),
    ],
)
def test_what_cannot_be_is_refused_before_a_sound(
    choices: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(AudioLCM, "_generate", lambda *_: pytest.fail("a sound was made"))
    with pytest.raises(UserError, match=message):
        pipeline()("a", 1.0, **choices)


def test_the_decoders_mel_reaches_the_vocoder_of_a_released_model_as_it_is() -> None:
    """The released scripts pass what the decoder returns to the vocoder."""
    noise = torch.randn(1, 32, generator=torch.Generator().manual_seed(3))
    decoded = (4 * noise).expand(80, -1).repeat_interleave(2, dim=1)
    assert decoded.min() < -5 and decoded.max() > 2
    for name in RELEASED:
        model = pipeline(Conventions(length="even", clamp_mel=RELEASED[name].clamp_mel))
        made = model("a", 1.0, 3)
        assert torch.equal(model.vocoder.heard[0], decoded)
        np.testing.assert_array_equal(made[0].mel, decoded)
        assert made[0].card["mel_range"] is None
    ours = pipeline(Conventions(length="even"))
    assert ours("a", 1.0, 3)[0].card["mel_range"] == [-5.0, 2.0]
    assert torch.equal(ours.vocoder.heard[0], decoded.clamp(-5, 2))
    true = torch.linspace(-7, 3, 80 * 4).reshape(1, 80, 4)
    for model, expected in ((ours, true.clamp(-5, 2)), (pipeline(RELEASED["published:audiolcm"]), true)):
        model.reconstruct(true, with_autoencoder=False)
        assert torch.equal(model.vocoder.heard, expected)


def test_precision_of_a_call_and_of_a_model() -> None:
    model = pipeline()
    exact = model("a", 1.0, 3)
    assert exact[0].card["precision"] == "float32"
    rounded = model("a", 1.0, 3, precision="bfloat16")
    assert rounded[0].card["precision"] == "bfloat16" and model.hardware.precision == "float32"
    # bfloat16 keeps 8 bits of a number: each is within 1 / 256 of its value
    assert 0 < np.abs(rounded.mels - exact.mels).max() <= np.abs(exact.mels).max() / 256
    np.testing.assert_array_equal(model("a", 1.0, 3, precision="float32").mels, exact.mels)
    loaded = AudioLCM.from_pretrained(FOLEY, hardware=Hardware("cpu"), precision="float32")
    assert (loaded.hardware.precision, loaded.hardware.computes_in()) == ("float32", "float32")


def test_a_card_tells_how_to_make_the_sound_again(tmp_path: Path) -> None:
    model = AudioLCM.from_pretrained(FOLEY, hardware=FLOAT32)
    made = model(["a dog barks", "rain falls"], 1.0, [3, 4], steps=1, omega=2.0)
    made.save(tmp_path / "sounds", mel=True)
    card = read_card(tmp_path / "sounds" / "001.wav")
    assert card == made[1].card and card["caption"] == "rain falls"
    assert (card["sampler"], card["num_steps"], card["omega"], card["k"]) == (
        "ConsistencySampler",
        1,
        2.0,
        20,
    )
    assert (card["duration"], card["seconds"], card["length"]) == (1.0, 1.0, "exact")
    again = model(
        card["caption"], card["duration"], card["seed"], [card["structured_caption"]], steps=card["num_steps"],
        omega=card["omega"], precision=card["precision"],
    )  # fmt: skip
    np.testing.assert_allclose(again.waveforms[0], made.waveforms[1], atol=1e-4)
    mel = np.load(tmp_path / "sounds" / "001_mel.npy")
    assert mel.shape == (80, 64) and mel.dtype == np.float32
    np.testing.assert_array_equal(mel, made[1].mel)


def test_the_command_offers_what_a_call_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    page = " ".join(capsys.readouterr().out.split())
    assert f"--length {{{','.join(LENGTHS)}}}" in page and "--precision {auto,float32,bfloat16,int8}" in page
    assert f"(default: {DEFAULT_CLAP})" in page and "--clamp-mel, --no-clamp-mel" in page
    assert 'audiolcm generate "a dog barks" --candidates 3' in page


def test_the_command_keeps_the_best_and_tells_what_it_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = {"_target_": f"{__name__}.Levels"}
    monkeypatch.setattr(schema, "compose_features", lambda: {"levels": node})
    monkeypatch.setattr(candidates, "build", lambda *_, **__: Levels())
    caplog.set_level("INFO")
    words = ["generate", "rain falls", "--checkpoint", FOLEY, "--duration", "1", "--precision", "float32"]
    words += ["--candidates", "3", "--clap", "levels", "--mel", "-o", str(tmp_path / "rain.wav")]
    assert main(words) == 0
    card = read_card(tmp_path / "rain.wav")
    assert (card["candidates"], card["precision"], card["mel_range"]) == (3, "float32", [-5.0, 2.0])
    assert f"rain.wav: candidate {card['candidate']} of 3, CLAP" in caplog.text
    assert "NFE 6 and RTF" in caplog.text and "of all 3 candidates, in float32" in caplog.text
    assert np.load(tmp_path / "rain_mel.npy").shape[0] == 80
