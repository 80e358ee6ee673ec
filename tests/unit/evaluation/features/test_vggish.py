"""VGGish: the front end against the published check vector, the network against convolutions written out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from audiolcm.errors import UserError
from evaluation.features.extractor import Extractor
from evaluation.features.vggish import Vggish, VggishNetwork, log_mel_patches

SHAPES = {
    "features.0": (64, 1, 3, 3),
    "features.3": (128, 64, 3, 3),
    "features.6": (256, 128, 3, 3),
    "features.8": (256, 256, 3, 3),
    "features.11": (512, 256, 3, 3),
    "features.13": (512, 512, 3, 3),
    "embeddings.0": (4096, 12288),
    "embeddings.2": (4096, 4096),
    "embeddings.4": (128, 4096),
}
"""Names and shapes in torchvggish's published file, which has nothing else but a bias for each."""


def random_weights() -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    weights = {}
    for name, shape in SHAPES.items():
        fan_in = np.prod(shape[1:])
        weights[f"{name}.weight"] = torch.randn(shape, generator=rng) * (2 / fan_in) ** 0.5
        weights[f"{name}.bias"] = torch.randn(shape[0], generator=rng) * 0.1
    return weights


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return random_weights()


@pytest.fixture(scope="module")
def checkpoint(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("weights") / "vggish.pth"
    torch.save(weights, path, _use_new_zipfile_serialization=False)  # as the published file is
    yield path
    path.unlink()  # 288 MB


@pytest.fixture(scope="module")
def vggish(checkpoint: Path) -> Vggish:
    return Vggish(str(checkpoint))


def reference(weights: dict[str, Tensor], patches: Tensor) -> Tensor:
    """Compute the embeddings with plain convolutions, in float64."""
    w = {name: value.double() for name, value in weights.items()}
    x = patches[:, None].double()
    for name in SHAPES:
        if name == "embeddings.0":
            x = x.transpose(1, 3).transpose(1, 2).flatten(1)  # frames, bands, channels
        if name.startswith("features"):
            x = functional.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1).relu()
            if name not in ("features.6", "features.11"):
                x = functional.max_pool2d(x, 2)
        else:
            x = functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])
            x = x if name == "embeddings.4" else x.relu()
    return x


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def test_front_end_gives_the_check_vector() -> None:
    waveform = 0.5 * np.sin(2 * np.pi * 440 * np.arange(160000) / 16000)
    patches = log_mel_patches(waveform)
    assert patches.shape == (10, 96, 64) and patches.dtype == torch.float32
    assert patches.double().sum().item() == pytest.approx(-215150.3095, abs=1e-3)
    expected = [-3.7363067, -2.7437425, -2.2047093, -2.052619]
    np.testing.assert_allclose(patches[0, 0, :4].numpy(), expected, rtol=1e-6)
    assert patches.max().item() == pytest.approx(4.0891747, abs=1e-6)
    assert patches.mean((0, 1)).argmax() == 8


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(160000, 10), (159744, 10), (155200, 10), (32000, 2), (16000, 1), (15600, 1), (15599, 0), (0, 0)],
)
def test_number_of_patches_is_that_of_torchvggish(samples: int, expected: int) -> None:
    assert log_mel_patches(noise(samples)).shape == (expected, 96, 64)


def test_names_and_shapes_are_those_of_the_published_file() -> None:
    with torch.device("meta"):
        state = VggishNetwork().state_dict()
    expected = {f"{name}.weight": shape for name, shape in SHAPES.items()}
    expected |= {f"{name}.bias": shape[:1] for name, shape in SHAPES.items()}
    assert {name: tuple(value.shape) for name, value in state.items()} == expected
    assert sum(value.numel() for value in state.values()) == 72_141_184


def test_embeddings_are_those_of_plain_convolutions(vggish: Vggish, weights: dict[str, Tensor]) -> None:
    waveform = noise(33000)
    expected = reference(weights, log_mel_patches(waveform)).numpy()
    (features,) = vggish.extract([waveform])
    assert features["embedding"].shape == (2, 128) and features["embedding"].dtype == np.float32
    np.testing.assert_allclose(features["embedding"], expected, rtol=0, atol=5e-6 * np.abs(expected).max())
    assert (expected < 0).any(), "the last ReLU must be left out"


def test_plain_network_is_the_same_function(vggish: Vggish, weights: dict[str, Tensor]) -> None:
    with torch.device("meta"):
        network = VggishNetwork()
    network.load_state_dict(weights, assign=True)
    patches = log_mel_patches(noise(16000))
    expected = reference(weights, patches)
    with torch.no_grad():
        torch.testing.assert_close(
            network(patches).double(), expected, rtol=0, atol=1e-5 * float(expected.abs().max())
        )


def test_neighbors_and_lengths_do_not_matter(checkpoint: Path) -> None:
    vggish = Vggish(str(checkpoint), batch_size=3)
    waveforms = [noise(samples, seed) for seed, samples in enumerate((16000, 48000, 15600, 33000))]
    together = [features["embedding"] for features in vggish.extract(waveforms)]
    assert [len(rows) for rows in together] == [1, 3, 1, 2]
    for waveform, rows in zip(waveforms, together, strict=True):
        alone = vggish.extract([waveform])[0]["embedding"]
        np.testing.assert_allclose(rows, alone, rtol=0, atol=1e-5 * np.abs(alone).max())


def test_short_sound_is_an_error_with_its_length(vggish: Vggish) -> None:
    """torchvggish gives no rows for it, and the sound silently drops out of the score."""
    with pytest.raises(UserError, match="15599 samples .* needs 15600"):
        vggish.extract([noise(16000), noise(15599)])


def test_nothing_in_nothing_out(vggish: Vggish) -> None:
    assert vggish.extract([]) == []


def test_is_an_extractor_with_the_identity_of_its_weights(
    vggish: Vggish, checkpoint: Path, tmp_path: Path
) -> None:
    assert isinstance(vggish, Extractor)
    assert (vggish.name, vggish.sample_rate, vggish.is_embedded) == ("vggish", 16000, False)
    content = bytearray(checkpoint.read_bytes())
    content[-1] ^= 1  # one bit of the last weight
    (tmp_path / "other.pth").write_bytes(content)
    other = Vggish(str(tmp_path / "other.pth"))
    (tmp_path / "other.pth").unlink()
    assert Vggish(str(checkpoint)).identity == vggish.identity != other.identity


def test_weights_of_another_network_are_refused(weights: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"model": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"x.pth holds the weights of another network than VggishNetwork"):
        Vggish(str(tmp_path / "x.pth"))
