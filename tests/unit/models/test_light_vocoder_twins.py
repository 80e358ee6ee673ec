"""What the light vocoder computes with matrix products and bins side by side, against plain transcriptions."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.models.excitation import Excitation
from audiolcm.models.griffin_lim import griffin_lim
from audiolcm.models.stft import Stft
from audiolcm.models.vocoder_istft import ConvBlock, IstftVocoder, features


def noise(batch: int, num_frames: int) -> Tensor:
    return torch.randn(batch, num_frames * 256, generator=torch.Generator().manual_seed(num_frames))


def bursts(batch: int, num_frames: int) -> Tensor:
    """The mel of noise that is switched on and off."""
    level = 0.02 + 0.2 * (torch.arange(num_frames * 256) // 3000 % 2)
    return MelSpectrogram()(noise(batch, num_frames) * level)


def plain_sharpened(excitation: Excitation, mel: Tensor) -> Tensor:
    """Richardson-Lucy with torch's convolutions."""
    batch, bands, frames = mel.shape
    measured = torch.pow(10.0, 2.0 * mel).reshape(batch * bands, 1, frames)
    kernel = excitation.stft.window.square().reshape(1, 1, -1, 64).mean(-1)

    def spread(ratio: Tensor) -> Tensor:
        return F.conv_transpose1d(ratio, kernel, stride=4)[..., 6 : 6 + frames * 4]

    power = measured.repeat_interleave(4, dim=2) / kernel.sum()
    for _ in range(excitation.sharpening_passes):
        observed = F.conv1d(F.pad(power, (6, 6)), kernel, stride=4).clamp(min=1e-16)
        power = power * spread(measured / observed) / spread(torch.ones_like(measured[:1]))
    return power.clamp(min=1e-16).reshape(batch, bands, frames * 4)


@pytest.mark.parametrize(("batch", "num_frames"), [(1, 2), (2, 16), (2, 37)])
def test_sharpened_power(batch: int, num_frames: int) -> None:
    excitation, mel = Excitation(), bursts(batch, num_frames)
    torch.testing.assert_close(
        excitation.sharpened_power(mel), plain_sharpened(excitation, mel), rtol=1e-4, atol=1e-12
    )


def test_a_pass_toward_the_mel() -> None:
    excitation, mel = Excitation(), bursts(2, 20)
    spectrum = excitation.stft.analyze(noise(2, 20))
    bands = torch.log10((excitation.filterbank @ spectrum.abs()).clamp(min=1e-8))
    weights = excitation.filterbank.sum(0).unsqueeze(1).clamp(min=1e-8)
    gain = excitation.filterbank.T @ (mel - bands).clamp(-2.0, 2.0) / weights
    expected = spectrum * torch.pow(10.0, gain)
    torch.testing.assert_close(excitation._toward(mel, spectrum), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_frames", [1, 3, 20])
def test_overlap_add_with_its_gradient(num_frames: int) -> None:
    stft = Stft()
    spectrum = stft.analyze(noise(2, num_frames)).requires_grad_()
    frames = torch.fft.irfft(spectrum.transpose(1, 2), n=1024) * stft.window
    squared = stft.window.square().expand(1, num_frames, 1024)

    def added(frames: Tensor) -> Tensor:
        length = (num_frames + 3) * 256
        return F.fold(frames.mT, (1, length), (1, 1024), stride=(1, 256)).flatten(1)[:, 384:-384]

    expected, made = added(frames) / added(squared), stft.synthesize(spectrum)
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)
    given = torch.randn_like(made)
    (ours,) = torch.autograd.grad(made, spectrum, given)
    (theirs,) = torch.autograd.grad(expected, spectrum, given)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))


def test_griffin_lims_phases() -> None:
    stft, magnitude = Stft(), Stft().analyze(noise(1, 20)).abs()
    start = stft.analyze(noise(1, 21)[:, :5120])
    waveform, previous = stft.synthesize(magnitude * start / start.abs().clamp(min=1e-8)), 0.0
    for _ in range(2):
        consistent = stft.analyze(waveform)
        extrapolated = consistent - 0.9 / 1.9 * previous
        waveform = stft.synthesize(magnitude * extrapolated / extrapolated.abs().clamp(min=1e-8))
        previous = consistent
    peak = float(waveform.abs().max())
    torch.testing.assert_close(
        griffin_lim(stft, magnitude, start, 2, 0.9), waveform, rtol=0, atol=1e-4 * peak
    )


def test_features() -> None:
    mel, candidates = bursts(2, 20), torch.randn(2, 3, 513, 20, dtype=torch.complex64)
    level = torch.log10(candidates.abs().clamp(min=1e-5)).flatten(1, 2)
    advance = candidates * F.pad(candidates[..., :-1], (1, 0)).conj()
    advance = advance / advance.abs().clamp(min=1e-8)
    advance = advance * torch.exp(-2j * torch.pi * (torch.arange(513) % 4) / 4).unsqueeze(1)
    advance = torch.view_as_real(advance).permute(0, 1, 4, 2, 3).flatten(1, 3)
    expected = torch.cat([mel, level, advance], dim=1)
    torch.testing.assert_close(features(mel, candidates).mT, expected, rtol=1e-5, atol=1e-5)


def plain_block(block: ConvBlock, x: Tensor) -> Tensor:
    """The block over (batch, width, frames)."""
    normed = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) * block.scale
    value, gate = F.conv1d(normed, block.expand.weight, block.expand.bias, padding=1).chunk(2, dim=1)
    return x + F.conv1d(value * F.silu(gate), block.project.weight, block.project.bias)


def test_block_with_its_gradients() -> None:
    torch.manual_seed(0)
    block, x = ConvBlock(8, 3), torch.randn(2, 8, 11, requires_grad=True)
    made, expected = block(x.mT).mT, plain_block(block, x)
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)
    inputs, given = (x, *block.parameters()), torch.randn_like(made)
    for ours, theirs in zip(
        torch.autograd.grad(made, inputs, given), torch.autograd.grad(expected, inputs, given), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_mixture_of_the_candidates() -> None:
    """Logits of the head, which is a 1x1 convolution, become the gain and the shares of the candidates."""
    torch.manual_seed(0)
    vocoder, mel = IstftVocoder(width=8, depth=1), bursts(2, 20)
    torch.nn.init.normal_(vocoder.head.weight, std=0.1)
    candidates = vocoder.excitation(mel, noise(1, 20))
    x = F.conv1d(features(mel, candidates).mT, vocoder.stem.weight, vocoder.stem.bias)
    x = F.conv1d(plain_block(vocoder.blocks[0], x), vocoder.head.weight, vocoder.head.bias)
    outputs = x.unflatten(1, (4, 513))
    mix = torch.softmax(outputs[:, 1:] + torch.tensor([-2.0, 2.0, -2.0]).reshape(1, 3, 1, 1), dim=1)
    gain = torch.exp(3 * torch.tanh(outputs[:, 0] / 3))
    expected = vocoder.excitation.stft.synthesize((mix * candidates).sum(1) * gain)
    peak = float(expected.abs().max())
    torch.testing.assert_close(vocoder(mel, noise(1, 20)), expected, rtol=0, atol=1e-5 * peak)
