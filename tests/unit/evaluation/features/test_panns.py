"""PANNs' Cnn14 against the copy inside of frechet-audio-distance, with the same random weights."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from packages import needs_package
from torch import nn

from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor
from evaluation.features.panns import SETTINGS_16K, SETTINGS_32K, Cnn14, LogMelSettings, Panns16k, Panns32k


@pytest.fixture(scope="module")
def reference() -> Iterator[ModuleType]:
    """The module of the networks alone: importing the whole package imports laion-clap, which asks the hub."""
    needs_package("frechet_audio_distance")
    (folder,) = importlib.util.find_spec("frechet_audio_distance").submodule_search_locations
    package = ModuleType("reference_models")
    package.__path__ = [str(Path(folder) / "models")]
    sys.modules[package.__name__] = package
    yield importlib.import_module("reference_models.pann")
    for name in [name for name in sys.modules if name.startswith(package.__name__)]:
        del sys.modules[name]


def randomized(network: nn.Module) -> nn.Module:
    """Give the network statistics and biases that are not those of a new one, so that leaving one out shows."""
    rng = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for positive in (module.weight.data, module.running_var):
                positive.uniform_(0.5, 1.5, generator=rng)
            for signed in (module.bias.data, module.running_mean):
                signed.normal_(0, 0.1, generator=rng)
        elif isinstance(module, nn.Linear):
            module.bias.data.normal_(0, 0.1, generator=rng)
    return network.eval()


@pytest.fixture(scope="module")
def cnn14(reference: ModuleType) -> nn.Module:
    return randomized(reference.Cnn14_16k(16000, 512, 160, 64, 50, 8000, 527))


@pytest.fixture(scope="module")
def checkpoint(cnn14: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("weights") / "Cnn14_16k.pth"
    sampler = {"indexes": np.arange(10), "pointer": 4}  # the published file has one too
    torch.save({"iteration": 1, "model": cnn14.state_dict(), "sampler": sampler}, path)
    yield path
    path.unlink()  # 324 MB


@pytest.fixture(scope="module")
def panns(checkpoint: Path) -> Panns16k:
    return Panns16k(str(checkpoint), batch_size=2)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def test_log_mel_gives_the_check_vector() -> None:
    waveform = 0.5 * np.sin(2 * np.pi * 440 * np.arange(160000) / 16000)
    log_mel = Cnn14(SETTINGS_16K).log_mel(torch.from_numpy(waveform).float()[None])
    assert log_mel.shape == (1, 1, 1001, 64)
    assert log_mel.double().sum().item() == pytest.approx(-5064061.24, rel=1e-6)
    assert log_mel.max().item() == pytest.approx(18.2557945, abs=1e-4)
    assert log_mel[0, 0].mean(0).argmax() == 8


def test_features_are_those_of_the_reference(panns: Panns16k, cnn14: nn.Module) -> None:
    waveform = noise(20000)
    (features,) = panns.extract([waveform])
    with torch.no_grad():
        expected = cnn14(torch.from_numpy(waveform)[None])
    np.testing.assert_allclose(features["embedding"], expected["embedding"], rtol=0, atol=1e-6)
    assert expected["embedding"].max() > 0.1
    assert features["logits"].shape == (527,)
    sigmoid = torch.from_numpy(features["logits"]).sigmoid()
    torch.testing.assert_close(sigmoid, expected["clipwise_output"][0], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_32_khz_network_is_that_of_the_reference(reference: ModuleType) -> None:
    expected = randomized(reference.Cnn14(32000, 1024, 320, 64, 50, 14000, 527))
    network = Cnn14(SETTINGS_32K).eval()
    own, published = network.state_dict(), expected.state_dict()
    for name in ("spectrogram_extractor.stft.conv_real.weight", "logmel_extractor.melW"):
        torch.testing.assert_close(own[name], published[name], rtol=0, atol=0)
    network.load_state_dict(published)
    waveforms = torch.from_numpy(np.stack([noise(48000, 1), noise(48000, 2)]))
    with torch.no_grad():
        embeddings, found = network.embed(waveforms), expected(waveforms)
    torch.testing.assert_close(embeddings, found["embedding"], rtol=0, atol=1e-6)


def test_neighbors_and_lengths_do_not_matter(panns: Panns16k) -> None:
    waveforms = [noise(samples, seed) for seed, samples in enumerate((8000, 6000, 8000, 8000, 6000))]
    together = panns.extract(waveforms)
    for waveform, features in zip(waveforms, together, strict=True):
        assert features["embedding"].shape == (1, 2048)
        (alone,) = panns.extract([waveform])
        for name in ("embedding", "logits"):
            np.testing.assert_allclose(features[name], alone[name], rtol=0, atol=1e-6)
    assert np.abs(together[0]["logits"] - together[2]["logits"]).max() > 1e-4


def test_shortest_sound_is_heard_and_a_shorter_one_is_an_error(panns: Panns16k) -> None:
    (features,) = panns.extract([noise(4960)])
    assert np.isfinite(features["embedding"]).all()
    with pytest.raises(UserError, match=r"4959 samples at 16000 Hz .* needs 4960 \(0.31 s\)"):
        panns.extract([noise(6000), noise(4959)])


@pytest.mark.parametrize(
    ("settings", "expected"), [(SETTINGS_32K, 9920), (LogMelSettings(44100, 1024, 320, 50, 14000), 9920)]
)
def test_shortest_sound_of_other_settings(settings: LogMelSettings, expected: int) -> None:
    assert settings.min_samples == expected


def test_nothing_in_nothing_out(panns: Panns16k) -> None:
    assert panns.extract([]) == []


def test_is_an_extractor(panns: Panns16k) -> None:
    assert isinstance(panns, Extractor)
    assert (panns.name, panns.sample_rate, panns.is_embedded) == ("panns_16k", 16000, False)
    assert len(panns.identity) == 10


def test_weights_for_another_rate_are_refused(checkpoint: Path) -> None:
    with pytest.raises(
        UserError, match=r"Cnn14_16k.pth holds the weights of another network than Cnn14: size mismatch"
    ):
        Panns32k(str(checkpoint))


def test_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="x.pth is not a checkpoint of PANNs"):
        Panns16k(str(tmp_path / "x.pth"))
