"""Parts of BigVGAN against SciPy, a direct computation and torch."""

import numpy as np
import pytest
import scipy.signal
import torch
from torch import nn

from audiolcm.models.anti_aliasing import AntiAliasedSnake, kaiser_sinc_filter
from audiolcm.models.bigvgan_checkpoint import fold_weight_norm


def test_filter_is_scipys_kaiser_design() -> None:
    beta = scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(6, 1.2))
    expected = scipy.signal.firwin(12, 0.5, window=("kaiser", beta))
    np.testing.assert_allclose(kaiser_sinc_filter().flatten().numpy(), expected, atol=1e-7)


def test_activation_equals_a_direct_computation() -> None:
    rng = np.random.default_rng(0)
    module = AntiAliasedSnake(3)
    x, alpha, beta = rng.standard_normal((3, 40)), rng.standard_normal(3), rng.standard_normal(3)
    module.load_state_dict(
        module.state_dict()
        | {"act.alpha": torch.tensor(alpha).float(), "act.beta": torch.tensor(beta).float()}
    )
    taps = kaiser_sinc_filter().flatten().double().numpy()
    expected = []
    for row, a, b in zip(x, np.exp(alpha), np.exp(beta), strict=True):
        stuffed = np.zeros(2 * (len(row) + 10) - 1)
        stuffed[::2] = np.pad(row, 5, mode="edge")
        doubled = 2 * np.convolve(stuffed, taps)[15:-15]
        active = np.pad(doubled + np.sin(a * doubled) ** 2 / b, (5, 6), mode="edge")
        expected.append(np.correlate(active, taps, mode="valid")[::2])
    actual = module(torch.tensor(x.T).float()[None])[0].T.detach().numpy()
    np.testing.assert_allclose(actual, np.array(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "layer", [nn.Conv1d(5, 6, 3), nn.ConvTranspose1d(5, 6, 4, 2)], ids=["conv", "transposed"]
)
def test_folding_equals_torchs_weight_norm(layer: nn.Module) -> None:
    normed = nn.utils.parametrizations.weight_norm(layer)
    with torch.no_grad():
        normed.parametrizations.weight.original0.mul_(1.7)
        normed.parametrizations.weight.original1.mul_(-0.3)
    pair = normed.parametrizations.weight
    folded = fold_weight_norm(
        {"up.weight_v": pair.original1, "up.weight_g": pair.original0, "up.bias": layer.bias}
    )
    assert set(folded) == {"up.weight", "up.bias"}
    torch.testing.assert_close(folded["up.weight"], layer.weight)
