"""BigVGAN against its published layout, a functional transcription, scipy's filter design and torch's weight norm."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

from audiolcm.configuration.build import build
from audiolcm.configuration.kept import load_yaml
from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.models import bigvgan
from audiolcm.models.anti_aliasing import kaiser_sinc_filter
from audiolcm.models.bigvgan import BigVGAN
from audiolcm.models.bigvgan_checkpoint import published_layout
from audiolcm.models.weight_norm import normed_name
from audiolcm.stages.recipe import Recipe
from audiolcm.weights.artifacts import Artifact

SMALL = {
    "num_mels": 80,
    "upsample_initial_channel": 64,
    "upsample_rates": [4, 4, 2, 2, 2, 2],
    "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "resblock": "1",
    "activation": "snakebeta",
    "snake_logscale": True,
    "fmin": 0,
    "fmax": 8000,
}


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """A random checkpoint of width 64 in the published layout, weight norm in place."""
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        layout = published_layout(BigVGAN(channels=64))
    state = {}
    for key, shape in layout.items():
        noise = torch.randn(shape, generator=generator)
        state[key] = 0.35 * (noise.abs() + 1) if key.endswith("weight_g") else 0.3 * noise
        if key.endswith("filter"):
            state[key] = kaiser_sinc_filter()
    return state


@pytest.fixture
def folder(tmp_path: Path, published: dict[str, Tensor]) -> Path:
    write_checkpoint(tmp_path, published, SMALL)
    return tmp_path


def write_checkpoint(folder: Path, state: Mapping[str, Tensor], arguments: Mapping[str, object]) -> None:
    torch.save({"generator": dict(state)}, folder / "best_netG.pt")
    (folder / "args.yml").write_text(yaml.safe_dump(dict(arguments)))


def anti_aliased_snake(x: Tensor, state: Mapping[str, Tensor], name: str) -> Tensor:
    """2x up, snake, 2x down with grouped convolutions, from the raw arrays of a checkpoint."""
    channels = x.shape[1]
    up, down = state[f"{name}.upsample.filter"], state[f"{name}.downsample.lowpass.filter"]
    x = F.conv_transpose1d(
        F.pad(x, (5, 5), mode="replicate"), up.expand(channels, 1, 12), stride=2, groups=channels
    )
    x = 2 * x[:, :, 15:-15]
    alpha, beta = state[f"{name}.act.alpha"][None, :, None], state[f"{name}.act.beta"][None, :, None]
    x = x + torch.sin(x * alpha.exp()) ** 2 / (beta.exp() + 1e-9)
    return F.conv1d(
        F.pad(x, (5, 6), mode="replicate"), down.expand(channels, 1, 12), stride=2, groups=channels
    )


def reference_forward(mel: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """BigVGAN written as plain function calls on a published state dict."""

    def parameters(name: str) -> tuple[Tensor, Tensor]:
        weight = torch._weight_norm(state[f"{name}.weight_v"], state[f"{name}.weight_g"], 0)
        return weight, state[f"{name}.bias"]

    x = F.conv1d(mel, *parameters("conv_pre"), padding=3)
    for level, (rate, kernel) in enumerate(zip((4, 4, 2, 2, 2, 2), (8, 8, 4, 4, 4, 4), strict=True)):
        x = F.conv_transpose1d(x, *parameters(f"ups.{level}.0"), stride=rate, padding=(kernel - rate) // 2)
        outputs = []
        for block, size in enumerate((3, 7, 11)):
            name, y = f"resblocks.{3 * level + block}", x
            for i, dilation in enumerate((1, 3, 5)):
                z = anti_aliased_snake(y, state, f"{name}.activations.{2 * i}")
                padding = dilation * (size - 1) // 2
                z = F.conv1d(z, *parameters(f"{name}.convs1.{i}"), padding=padding, dilation=dilation)
                z = anti_aliased_snake(z, state, f"{name}.activations.{2 * i + 1}")
                y = y + F.conv1d(z, *parameters(f"{name}.convs2.{i}"), padding=size // 2)
            outputs.append(y)
        x = (outputs[0] + outputs[1] + outputs[2]) / 3
    x = anti_aliased_snake(x, state, "activation_post")
    return torch.tanh(F.conv1d(x, *parameters("conv_post"), padding=3)).squeeze(1)


def test_keys_and_shapes_are_the_published_ones(released_layout: dict[str, dict[str, list[int]]]) -> None:
    layout = released_layout["vocoder"]
    with torch.device("meta"):
        model = BigVGAN()
    assert published_layout(model) == {key: tuple(shape) for key, shape in layout.items()}
    assert sum(parameter.numel() for parameter in model.parameters()) == 112_199_473


def test_forward_equals_the_transcription(folder: Path, published: dict[str, Tensor]) -> None:
    mel = -2 + torch.randn(2, 80, 4, generator=torch.Generator().manual_seed(1))
    waveform = BigVGAN.from_published(folder)(mel)
    expected = reference_forward(mel, published)
    assert waveform.shape == (2, 4 * 256)
    assert 0.01 < expected.std() < 0.9, (
        "the random network is mute or saturated: the comparison would say nothing"
    )
    torch.testing.assert_close(waveform, expected, rtol=1e-3, atol=2e-4)


def test_long_mels_are_made_in_parts_without_a_seam(
    folder: Path, published: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = BigVGAN.from_published(folder)
    mel = -2 + torch.randn(1, 80, 2 * model.frames_seen + 20, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        whole = model(mel)
        monkeypatch.setattr(bigvgan, "FRAMES_AT_ONCE", model.frames_seen + 7)
        torch.testing.assert_close(model(mel), whole, rtol=0, atol=1e-5)
        monkeypatch.setattr(model, "frames_seen", model.frames_seen // 8)
        assert (model(mel) - whole).abs().max() > 1e-5, "fewer frames would do: the test says nothing"


def test_gradients_are_those_of_the_transcription_in_float64(
    folder: Path, published: dict[str, Tensor]
) -> None:
    """In float32 the transcription itself is up to 8e-4 away, at a bias whose gradient nearly cancels."""
    model = BigVGAN.from_published(folder, weight_norm=True).requires_grad_(True)
    state = {
        name: tensor.double().requires_grad_(not name.endswith("filter"))
        for name, tensor in published.items()
    }
    mel = -2 + torch.randn(2, 80, 3, generator=torch.Generator().manual_seed(4))
    given = torch.randn(2, 3 * 256, generator=torch.Generator().manual_seed(5))
    (model(mel) * given).sum().backward()
    (reference_forward(mel.double(), state) * given.double()).sum().backward()
    found = dict(model.named_parameters())
    for name, tensor in state.items():
        if tensor.grad is not None:
            away = (found[normed_name(name)].grad - tensor.grad).norm() / tensor.grad.norm()
            assert away < 3e-4, name


def test_under_autocast_it_differs_by_rounding(folder: Path) -> None:
    model = BigVGAN.from_published(folder)
    mel = -2 + torch.randn(1, 80, 4, generator=torch.Generator().manual_seed(6))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(mel)
    assert 0 < (rounded - model(mel)).abs().mean() < 0.03


def test_natural_logarithm_is_converted(folder: Path, published: dict[str, Tensor]) -> None:
    mel = -2 + torch.randn(1, 80, 4, generator=torch.Generator().manual_seed(2))
    waveform = BigVGAN.from_published(folder / "best_netG.pt", mel_log="ln")(mel)
    natural = torch.log(torch.pow(10.0, mel))
    torch.testing.assert_close(waveform, reference_forward(natural, published), rtol=1e-3, atol=2e-4)


def test_loaded_vocoder_is_frozen_and_in_evaluation_mode(folder: Path) -> None:
    model = BigVGAN.from_published(folder)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_artifact_is_known_by_its_weights_and_stands_without_the_published_files(
    tmp_path: Path, published: dict[str, Tensor]
) -> None:
    def artifact(name: str, state: Mapping[str, Tensor]) -> Artifact:
        (tmp_path / name).mkdir()
        write_checkpoint(tmp_path / name, state, SMALL)
        settings = ["vocoder=bigvgan", f"vocoder.model.path={tmp_path / name}", "hardware=cpu"]
        return Recipe(compose([*settings, f"paths.artifacts={tmp_path / 'artifacts'}"])).vocoder

    first, copy = artifact("first", published), artifact("copy", published)
    other = artifact("other", published | {"conv_post.bias": published["conv_post.bias"] + 0.1})
    assert first.hash == copy.hash != other.hash
    mel = torch.full((1, 80, 4), -2.0)
    expected = BigVGAN.from_published(tmp_path / "first")(mel)
    shutil.rmtree(tmp_path / "first")
    cfg = load_yaml(first.folder / "config.yaml")["vocoder"]["model"]
    torch.testing.assert_close(first.load_weights(build(cfg, "vocoder.model"))(mel), expected)


def test_no_path_says_what_to_type() -> None:
    with pytest.raises(UserError, match="vocoder.model.path"):
        BigVGAN.from_published(None)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"best_netG\.pt does not exist"):
        BigVGAN.from_published(tmp_path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"conv_post.bias": None}, r"missing conv_post\.bias"),
        ({"surplus.weight": torch.zeros(1)}, r"unknown surplus\.weight"),
        ({"conv_post.bias": torch.zeros(2)}, r"conv_post\.bias is \(2,\) instead of \(1,\)"),
    ],
)
def test_keys_that_do_not_fit_are_named(
    folder: Path, published: dict[str, Tensor], edit: dict[str, Tensor | None], message: str
) -> None:
    state = {key: value for key, value in (published | edit).items() if value is not None}
    write_checkpoint(folder, state, SMALL)
    with pytest.raises(UserError, match=message):
        BigVGAN.from_published(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"upsample_rates": None}, "lacks upsample_rates"),
        ({"resblock": "2"}, "resblock: 2"),
        ({"sampling_rate": 24000}, "sampling_rate: 24000"),
        ({"num_mels": 100}, "num_mels: 100"),
        ({"upsample_rates": [8, 4, 2, 2, 2, 2]}, "512 samples"),
        ({"fmin": 125, "fmax": 7600}, "from 125 to 7600 Hz"),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    folder: Path, published: dict[str, Tensor], edit: dict[str, object], message: str
) -> None:
    arguments = {key: value for key, value in (SMALL | edit).items() if value is not None}
    write_checkpoint(folder, published, arguments)
    with pytest.raises(UserError, match=message):
        BigVGAN.from_published(folder)


def test_stated_mel_range_overrules_the_arguments(folder: Path, published: dict[str, Tensor]) -> None:
    write_checkpoint(folder, published, SMALL | {"fmin": 125, "fmax": 7600})
    BigVGAN.from_published(folder, mel_range=[0, 8000])
    with pytest.raises(UserError, match="from 20 to 8000 Hz"):
        BigVGAN.from_published(folder, mel_range=[20, 8000])


@pytest.mark.parametrize("fmax", [8000, None])
def test_no_highest_frequency_means_half_the_sampling_rate(
    folder: Path, published: dict[str, Tensor], fmax: int | None
) -> None:
    write_checkpoint(folder, published, SMALL | {"fmax": fmax})
    BigVGAN.from_published(folder)


def test_unstated_mel_range_is_taken_with_a_warning(
    folder: Path, published: dict[str, Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    write_checkpoint(folder, published, {k: v for k, v in SMALL.items() if k not in ("fmin", "fmax")})
    BigVGAN.from_published(folder)
    assert "states no fmin and fmax" in caplog.text


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_broken_weights_are_the_users_error(folder: Path, content: bytes) -> None:
    (folder / "best_netG.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"best_netG\.pt is no readable checkpoint"):
        BigVGAN.from_published(folder)


def test_weights_without_a_generator_are_refused(folder: Path) -> None:
    torch.save({"discriminator": {}}, folder / "best_netG.pt")
    with pytest.raises(UserError, match="no entry"):
        BigVGAN.from_published(folder)


def test_code_in_the_yaml_is_not_run(folder: Path) -> None:
    (folder / "args.yml").write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(UserError, match="not plain YAML"):
        BigVGAN.from_published(folder)


def test_unknown_logarithm_lists_the_choices() -> None:
    with pytest.raises(UserError, match="log10, ln"):
        BigVGAN(channels=64, mel_log="log2")
