"""BigVGAN's objective against HiFi-GAN's losses written out, and what its parts may touch."""

import math

import pytest
import torch
from tiny_bigvgan import SIZES
from torch import Tensor, nn

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.models.autoencoder import Posterior
from audiolcm.models.bigvgan import BigVGAN
from audiolcm.models.bigvgan_discriminators import MultiPeriodDiscriminator, MultiResolutionDiscriminator
from audiolcm.models.weight_norm import folded
from audiolcm.objectives.bigvgan import BigVGANObjective
from audiolcm.random_numbers import ExampleGenerators


class Flat(nn.Module):
    """An autoencoder that forgets everything but the mean of a mel, and counts the mels it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def encode(self, mel: Tensor) -> Posterior:
        self.seen += len(mel)
        return Posterior(mel.mean((1, 2), keepdim=True).expand_as(mel), torch.full_like(mel, -30.0))

    def decode(self, z: Tensor) -> Tensor:
        return z


def objective(
    autoencoder: nn.Module | None = None, mel_log: str = "log10", **settings: float
) -> BigVGANObjective:
    torch.manual_seed(0)
    mpd, mrd = MultiPeriodDiscriminator([2, 3], 1), MultiResolutionDiscriminator([[128, 30, 60]], 2)
    return BigVGANObjective(BigVGAN(**SIZES, mel_log=mel_log), mpd, mrd, autoencoder, **settings)


def batch(size: int = 4) -> dict[str, Tensor]:
    time = torch.arange(2048) / 16000
    pitches = 300.0 * torch.arange(1, size + 1)[:, None]
    return {"waveform": 0.5 * torch.sin(2 * math.pi * pitches * time)}


def found(subject: BigVGANObjective, given: dict[str, Tensor]) -> dict[str, float]:
    figures = {}
    for part, loss, scalars in subject.losses(given, 0, torch.Generator()):
        figures |= {part: loss.item()} | {name: value.item() for name, value in scalars.items()}
    return figures


@pytest.mark.parametrize(("mel_log", "factor"), [("log10", 1.0), ("ln", math.log(10))])
def test_losses_are_hifi_gans(mel_log: str, factor: float) -> None:
    subject, real = objective(mel_log=mel_log), batch()["waveform"]
    networks, spectrogram = subject.trained, MelSpectrogram()
    with torch.no_grad():
        fake = networks["generator"](spectrogram(real))
        judged = {part: (networks[part](real), networks[part](fake)) for part in ("mpd", "mrd")}
        expected = {
            part: sum(
                ((1 - true) ** 2).mean() + (false**2).mean()
                for (true, _), (false, _) in zip(*both, strict=True)
            )
            for part, both in judged.items()
        }
        everyone = [pair for both in judged.values() for pair in zip(*both, strict=True)]
        assert len(everyone) == 3
        adversarial = sum(((1 - scores) ** 2).mean() for _, (scores, _) in everyone)
        features = sum(
            (a - b).abs().mean()
            for (_, true), (_, false) in everyone
            for a, b in zip(true, false, strict=True)
        )
        mel = (spectrogram(fake) - spectrogram(real)).abs().mean()
    expected |= {"adversarial": adversarial, "features": features, "mel": mel}
    expected["generator"] = adversarial + 2 * features + 45 * factor * mel
    assert found(subject, batch()) == pytest.approx({k: float(v) for k, v in expected.items()}, rel=1e-5)


def test_weights_of_the_losses_are_settings() -> None:
    mild = found(objective(mel_weight=1.0, feature_weight=0.0), batch())
    assert mild["generator"] == pytest.approx(mild["adversarial"] + mild["mel"])


def test_each_loss_reaches_the_weights_of_its_part_alone() -> None:
    subject = objective()
    parts = subject.parts()
    assert list(parts) == ["mpd", "mrd", "generator"]
    assert {id(p) for weights in parts.values() for p in weights} == {
        id(p) for p in subject.trained.parameters()
    }
    for part, loss, _ in subject.losses(batch(), 0, torch.Generator()):
        loss.backward(inputs=parts[part])
        assert all(p.grad is not None and p.grad.isfinite().all() for p in parts[part])
        if part != "generator":
            assert all(p.grad is None for p in parts["generator"])


def test_pieces_of_a_batch_add_up_to_the_batch() -> None:
    whole, pieces, given = objective(), objective(), batch()["waveform"]
    for subject, waveforms in ((whole, [given]), (pieces, [given[:2], given[2:]])):
        streams = [subject.losses({"waveform": piece}, 0, torch.Generator()) for piece in waveforms]
        for losses in zip(*streams, strict=True):
            part = losses[0][0]
            for _, loss, _ in losses:
                (loss / len(losses)).backward(inputs=subject.parts()[part])
    for a, b in zip(whole.trained.parameters(), pieces.trained.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)


def test_the_mel_error_of_one_clip_falls() -> None:
    subject, given = objective(), batch(1)
    optimizers = {part: torch.optim.AdamW(p, 2e-3, (0.8, 0.99)) for part, p in subject.parts().items()}
    errors = []
    for step in range(30):
        for part, loss, scalars in subject.losses(given, step, torch.Generator()):
            loss.backward(inputs=subject.parts()[part])
            optimizers[part].step()
            optimizers[part].zero_grad()
            errors += [float(scalars["mel"])] if part == "generator" else []
    assert errors[-1] < 0.7 * errors[0]
    assert subject.validate(given, torch.Generator())["mel"] < errors[0]


def test_the_product_is_the_generator_with_plain_weights() -> None:
    subject, mel = objective(), MelSpectrogram()(batch()["waveform"])
    product = subject.product()
    assert set(product.state_dict()) == set(BigVGAN(**SIZES).state_dict())
    assert not product.training
    assert not any(p.requires_grad for p in product.parameters())
    with torch.no_grad():
        torch.testing.assert_close(product(mel), subject.trained["generator"](mel))
        torch.testing.assert_close(folded(product)(mel), product(mel), rtol=0, atol=0)


def test_everything_is_float32_under_autocast() -> None:
    plain = found(objective(), batch())
    with torch.autocast("cpu", torch.bfloat16):
        assert found(objective(), batch()) == plain
        figures = objective().validate(batch(), torch.Generator())
    assert figures == objective().validate(batch(), torch.Generator())


def test_a_share_goes_through_the_autoencoder_where_one_is_asked_for() -> None:
    draws = ExampleGenerators([torch.Generator().manual_seed(i) for i in range(4)], 0, 4)
    behind, alone = objective(Flat(), reconstructed_share=0.5), objective(Flat())
    for subject in (behind, alone):
        list(subject.losses(batch(), 0, draws))
    assert behind.given.autoencoder.seen == 2
    assert alone.given.autoencoder is None
    assert set(alone.validate(batch(), torch.Generator())) == {"mel"}
    assert set(behind.validate(batch(), torch.Generator())) == {"mel", "mel_reconstructed"}
