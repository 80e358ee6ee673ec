"""Weight norm put on and folded, against torch's older one, which published checkpoints are written with."""

import warnings

import torch
from torch import nn

from audiolcm.models.weight_norm import add_weight_norm, folded, normed_name


def convolutions() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(3, 4, 5), nn.ConvTranspose1d(4, 6, 4, 2), nn.Conv1d(6, 2, 3))


def with_older_weight_norm() -> nn.Sequential:
    network = convolutions()
    with warnings.catch_warnings(action="ignore"):
        for layer in network:
            nn.utils.weight_norm(layer)
    return network


def test_it_computes_what_it_did_before() -> None:
    x = torch.randn(2, 3, 20)
    plain, normed = convolutions(), add_weight_norm(convolutions())
    torch.testing.assert_close(normed(x), plain(x))
    torch.testing.assert_close(folded(normed)(x), plain(x))
    assert set(folded(normed).state_dict()) == set(plain.state_dict())


def test_a_second_time_changes_nothing() -> None:
    once = add_weight_norm(convolutions())
    names = list(once.state_dict())
    assert list(add_weight_norm(once).state_dict()) == names


def test_a_state_in_the_older_names_is_the_same_network() -> None:
    older, ours = with_older_weight_norm(), add_weight_norm(convolutions())
    with torch.no_grad():
        older[1].weight_g.mul_(-1.7)
        older[0].weight_v.mul_(0.3)
    ours.load_state_dict({normed_name(name): tensor for name, tensor in older.state_dict().items()})
    x = torch.randn(2, 3, 20)
    torch.testing.assert_close(ours(x), older(x), rtol=0, atol=0)


def test_folding_leaves_the_trained_network_as_it_is() -> None:
    normed, x = add_weight_norm(convolutions()), torch.randn(2, 3, 20)
    before = normed(x)
    folded(normed)[0].weight.data.zero_()
    torch.testing.assert_close(normed(x), before, rtol=0, atol=0)
    assert all(parameter.requires_grad and parameter.any() for parameter in normed.parameters())


def test_hifi_gans_initial_weights_are_torchs_own() -> None:
    """Its normal(0, 0.01) writes what weight norm computes anew from g and v: the first pass forgets it."""
    network, x = with_older_weight_norm(), torch.randn(2, 3, 20)
    for layer in network:
        layer.weight.data.normal_(0.0, 0.01)
    torch.testing.assert_close(network(x), convolutions()(x))
