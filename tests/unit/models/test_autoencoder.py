"""The autoencoder: shapes at any length, the posterior against torch.distributions, and the linear path."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from audiolcm.models.autoencoder import Autoencoder, Posterior
from audiolcm.models.autoencoder_linear import LinearPathAutoencoder
from audiolcm.models.discriminator import MelPatchDiscriminator


def noise_mels(batch: int, frames: int, seed: int = 0, rank: int = 12) -> torch.Tensor:
    """Mels of low rank around -2, so that principal components have something to find."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.randn(80, rank, generator=torch.Generator().manual_seed(99))
    activations = torch.randn(batch, rank, frames // 4 + 2, generator=generator)
    activations = torch.nn.functional.interpolate(activations, size=frames, mode="linear")
    return -2.0 + 0.3 * basis @ activations


def two_frame_blocks(mel: torch.Tensor) -> torch.Tensor:
    """(batch, mels, frames) to (batch * frames / 2, 2 * mels)."""
    return mel.unfold(2, 2, 2).permute(0, 2, 1, 3).reshape(-1, 2 * mel.shape[1])


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(channels=32, multipliers=(1, 2), num_res_blocks=1, latent_channels=6).eval()


@pytest.mark.parametrize("frames", [1, 2, 3, 37, 64, 125])
def test_any_number_of_frames_comes_back(model: Autoencoder, frames: int) -> None:
    mel = noise_mels(2, frames)
    posterior = model.encode(mel)
    assert posterior.mean.shape == posterior.logvar.shape == (2, 6, Autoencoder.num_latent_frames(frames))
    assert model.decode(posterior.mode()).shape == (2, 80, 2 * posterior.mean.shape[-1])
    assert model(mel).shape == mel.shape


def test_an_odd_length_is_the_even_one_with_its_last_frame_repeated(model: Autoencoder) -> None:
    mel = noise_mels(1, 33)
    repeated = torch.cat([mel, mel[..., -1:]], dim=-1)
    torch.testing.assert_close(model(mel), model(repeated)[..., :33])


def test_published_size_has_213_million_parameters() -> None:
    with torch.device("meta"):
        model = Autoencoder()
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == 212_958_212
    assert model.encode(torch.empty(1, 80, 624, device="meta")).mean.shape == (1, 20, 312)


def test_posterior_agrees_with_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(3)
    posterior = Posterior(
        torch.randn(4, 3, 5, generator=generator), torch.randn(4, 3, 5, generator=generator)
    )
    normal = Normal(posterior.mean, posterior.std)
    expected = kl_divergence(normal, Normal(0.0, 1.0)).sum(dim=(1, 2))
    torch.testing.assert_close(posterior.kl(), expected)
    big = Posterior(torch.full((200_000, 1, 1), 2.0), torch.full((200_000, 1, 1), -2.0))
    drawn = big.sample(torch.Generator().manual_seed(0))
    assert float(drawn.mean()) == pytest.approx(2.0, abs=0.005)
    assert float(drawn.std()) == pytest.approx(float(big.std[0, 0, 0]), rel=0.01)
    assert torch.equal(drawn, big.sample(torch.Generator().manual_seed(0)))


def test_logvar_is_clamped(model: Autoencoder) -> None:
    limits = []
    for bias in (-1e3, 1e3):
        with torch.no_grad():
            saved = model.quant_conv.bias.clone()
            model.quant_conv.bias[6:] = bias
            limits.append(model.encode(noise_mels(1, 8)).logvar.unique().tolist())
            model.quant_conv.bias.copy_(saved)
    assert limits == [[-30.0], [20.0]]


def test_one_level_is_refused() -> None:
    with pytest.raises(ValueError, match="two levels"):
        Autoencoder(channels=32, multipliers=(1,))


class TestLinearPath:
    """The replica's autoencoder against the singular vectors of two-frame blocks."""

    @pytest.fixture
    def started(self) -> LinearPathAutoencoder:
        torch.manual_seed(0)
        model = LinearPathAutoencoder(channels=32, latent_channels=6)
        model.start_from(noise_mels(32, 128))
        return model.eval()

    @torch.no_grad()
    def test_untrained_it_is_the_best_linear_reconstruction(self, started: LinearPathAutoencoder) -> None:
        mel = noise_mels(32, 128)
        mean = mel.mean(dim=(0, 2))[:, None]
        blocks = two_frame_blocks(mel - mean)
        _, _, directions = torch.linalg.svd(blocks, full_matrices=False)
        best = blocks @ directions[:6].T @ directions[:6]
        torch.testing.assert_close(two_frame_blocks(started(mel) - mean), best, rtol=0.0, atol=1e-4)

    @torch.no_grad()
    def test_latents_are_uncorrelated_and_the_loudest_is_bounded(self) -> None:
        """Deviations are the square roots of the components', the median's 1, none above 1.5."""
        torch.manual_seed(0)
        mel = noise_mels(32, 128) + 3.0 * torch.randn(32, 1, 1)  # clips of very different loudness
        model = LinearPathAutoencoder(channels=32, latent_channels=6)
        model.start_from(mel)
        blocks = two_frame_blocks(mel - mel.mean(dim=(0, 2))[:, None])
        deviations = torch.linalg.svdvals(blocks)[:6] / len(blocks) ** 0.5
        latents = model.encode(mel).mode().transpose(1, 2).flatten(0, 1)
        covariance = latents.T @ latents / len(latents)
        expected = (deviations / deviations.median()).sqrt().clamp_max(1.5)
        assert expected[0] == 1.5
        torch.testing.assert_close(covariance.diagonal().sqrt(), expected, rtol=1e-3, atol=0.0)
        assert (covariance - covariance.diagonal().diag()).abs().max() < 2e-3 * covariance.max()

    @torch.no_grad()
    def test_posterior_starts_narrow(self, started: LinearPathAutoencoder) -> None:
        assert started.encode(noise_mels(2, 16)).logvar.unique().tolist() == [-4.0]

    def test_the_networks_learn_from_the_first_steps(self, started: LinearPathAutoencoder) -> None:
        mel = noise_mels(4, 32)
        optimizer = torch.optim.SGD(started.parameters(), lr=1e-2)
        # The outputs start at zero, so what lies before them learns from the second step on
        for _ in range(2):
            optimizer.zero_grad()
            (started.decode(started.encode(mel).mode()) - mel).abs().mean().backward()
            optimizer.step()
        silent = {name for name, p in started.named_parameters() if p.grad.norm() == 0}
        assert silent <= {
            f"{side}.mid.attn_1.k.bias" for side in ("encoder", "decoder")
        }  # softmax ignores it

    @pytest.mark.parametrize("frames", [1, 37])
    def test_odd_lengths_come_back(self, started: LinearPathAutoencoder, frames: int) -> None:
        mel = noise_mels(2, frames)
        assert started.encode(mel).mean.shape == (2, 6, (frames + 1) // 2)
        assert started(mel).shape == mel.shape

    @torch.no_grad()
    def test_an_odd_start_drops_the_last_frame(self, started: LinearPathAutoencoder) -> None:
        again = LinearPathAutoencoder(channels=32, latent_channels=6)
        mel = noise_mels(32, 128)
        again.start_from(torch.cat([mel, mel[..., :1]], dim=-1))
        torch.testing.assert_close(again.linear_decoder.bias, started.linear_decoder.bias)


def test_the_published_autoencoder_starts_from_random_weights(model: Autoencoder) -> None:
    before = [parameter.clone() for parameter in model.parameters()]
    model.start_from(noise_mels(4, 32))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_patch_discriminator_scores_patches_of_its_own() -> None:
    torch.manual_seed(0)
    discriminator = MelPatchDiscriminator(channels=4, num_layers=2)
    mel = noise_mels(2, 64)
    changed = mel.clone()
    changed[..., 48:] += 1.0
    (scores, features), (other, _) = discriminator(mel), discriminator(changed)
    assert scores.shape == (2, 1, 20, 16)
    assert [feature.shape[1] for feature in features] == [4, 8, 8]
    torch.testing.assert_close(scores[..., :8], other[..., :8])
    assert (scores[..., 12:] - other[..., 12:]).abs().max() > 1e-3
