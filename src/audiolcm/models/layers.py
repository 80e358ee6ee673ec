"""Linear layers and convolutions whose frozen weights are kept as their products take them.

Autocast rounds a weight to bfloat16 again in every call, and a convolution lays it out anew. Of a network that is only
read this is done once: ``keep_products`` says so. Parameters, names and shapes are those of torch's layers.
"""

import math
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiolcm.models import int8, packed, spectral
from audiolcm.models.convolution import convolve_flat, flat, product_layout
from audiolcm.types import TextTokens

Network = TypeVar("Network", bound=nn.Module)
Made = TypeVar("Made")
State = tuple[weakref.ref[Tensor], int, int | None]

_LARGE = 2**20  # numbers of a weight, from which the library convolves tokens faster than one product


class Keeping(nn.Module):
    """A layer that may keep what its product takes of its weights."""

    weight: Tensor
    keeps = False
    _kept: dict[object, tuple[tuple[State, ...], Any]] | None = None

    def weights(self) -> tuple[Tensor, ...]:
        """Return the parameters that the product is made of."""
        return (self.weight,)

    def matrix(self) -> Tensor:
        """Return what the product takes of them, in their own precision."""
        raise NotImplementedError

    def product_dtype(self) -> torch.dtype:
        """Return the precision of the product: autocast's, else the weights'."""
        weight = self.weights()[0]
        kind = weight.device.type
        rounds = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
        return torch.get_autocast_dtype(kind) if rounds else weight.dtype

    def product_weight(self) -> Tensor:
        """Return the matrix in the precision of the product."""
        dtype = self.product_dtype()
        if not self.is_read_only():
            return self.matrix().to(dtype)
        return self.kept(dtype, lambda: _laid_out(self.matrix().to(dtype)))

    def is_read_only(self) -> bool:
        """Return whether what is made of the weights can be kept: they take no gradients, and ``keep_products``."""
        if not self.keeps or spectral.are_direct():
            return False
        return not any(weight.requires_grad for weight in self.weights())

    def kept(self, what: object, make: Callable[[], Made]) -> Made:
        """Return what ``make`` makes of the weights, which is called once where it can be kept, of each ``what``.

        It is kept while the weights take no gradients and stay the same: the same tensors, in memory and in version,
        which torch counts up with each change but those through ``.data``. Compiled kernels take what ``settle`` made
        before and see no change at all.
        """
        if not self.is_read_only():
            return make()
        shelf = self._kept or {}
        found = shelf.get(what)
        if torch.compiler.is_compiling():
            return make() if found is None else found[1]
        if found is None or not all(map(_is_as_it_was, found[0], self.weights())):
            state = tuple(map(_state, self.weights()))
            with torch.inference_mode(False), torch.no_grad():  # else no later training step could use it
                found = state, make()
            self._kept = shelf | {what: found}  # in one piece: another thread may be reading
        return found[1]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy takes along: not what was kept, nor that it was."""
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_kept", "keeps")}


def _state(weight: Tensor) -> State:
    # A reference, since another tensor may lie where one was; tensors of inference_mode never change
    version = None if weight.is_inference() else weight._version
    return weakref.ref(weight), weight.data_ptr(), version


def _is_as_it_was(state: State, weight: Tensor) -> bool:
    reference, *rest = state
    return reference() is weight and rest == list(_state(weight)[1:])


def _laid_out(matrix: Tensor) -> Tensor:
    # In float32 products of one sound are a quarter faster where columns lie one after the other
    return matrix.t().contiguous().t() if matrix.ndim == 2 and matrix.dtype == torch.float32 else matrix


def keep_products(network: Network) -> Network:
    """Freeze a network, let its layers keep what they make of their weights from now on, and return it."""
    set_keeping(network, True)
    return network.requires_grad_(False)


def set_keeping(network: nn.Module, wanted: bool) -> None:
    """Let the layers of a network keep what they make of frozen weights, or make it anew each time."""
    for module in network.modules():
        if isinstance(module, Keeping):
            module.keeps = wanted


def settle(network: nn.Module) -> None:
    """Make all that the layers of a network will keep, now, in the precision of the moment."""
    for module in network.modules():
        if isinstance(module, Keeping) and module.keeps:
            module.product_weight()


def lay_out(network: nn.Module) -> None:
    """Order the memory of a network's convolutions as their products take it, in place: for networks that train."""
    for module in network.modules():
        if isinstance(module, TokenConv1d):
            module.weight.data = product_layout(module.weight.data)


def round_products(network: nn.Module, dtype: torch.dtype) -> None:
    """Round a frozen network's weights in place as autocast to ``dtype`` does in each product: in less memory.

    Norms and biases stay, so that nothing that autocast computes with them changes.
    """
    for module in network.modules():
        if isinstance(module, Keeping):
            for weight in module.weights():
                weight.data = weight.data.to(dtype)


class Linear(Keeping, nn.Linear):
    """``torch.nn.Linear``."""

    # pyrefly: ignore[bad-override-param-name]  (called by position only)
    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b over the last dimension."""
        return F.linear(x, self.product_weight(), self.bias)

    def matrix(self) -> Tensor:
        """Return the weight as it is."""
        return self.weight


class RoundedLinear(Linear):
    """``torch.nn.Linear`` that keeps its weight in another precision only: what is not rounded is not held twice."""

    def product_weight(self) -> Tensor:
        """Return the weight in the precision of the product."""
        return self.weight if self.product_dtype() == self.weight.dtype else super().product_weight()


class KeepingConv1d(Keeping, nn.Conv1d):
    """A convolution over tokens that, where it is only read on a CPU, keeps its weight for the fastest algorithm."""

    zeros: tuple[int, int]

    def convolve_kept(self, tokens: TextTokens, packs: bool) -> Tensor | None:
        """Return the convolution from what is kept of the weight for one of these algorithms; None where none pays.

        Args:
            tokens: (batch, tokens, in_channels).
            packs: whether a weight that ``packed`` can take is worth it.
        """
        if not self.is_read_only() or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return None
        taps, dilation, stride = self.kernel_size[0], self.dilation[0], self.stride[0]
        dtype = self.product_dtype()
        if stride == 1 and spectral.pays(self.weight, dtype, tokens.shape[0] * tokens.shape[1]):
            size = spectral.window_size(taps)
            weight = self.kept(("spectra", dtype), lambda: spectral.spectra(self.weight, size, dtype))
            return spectral.convolve_spectral(tokens, weight, self.bias, taps, self.zeros, dilation)
        if not packs or self.zeros[0] != self.zeros[1] or not packed.can(self.weight, dtype):
            return None
        sizes = self.zeros[0], dilation, stride
        weight = self.kept(("packed", dtype), lambda: packed.packed(self.weight.to(dtype), *sizes))
        return packed.convolve_packed(tokens.to(dtype), weight, self.bias, *sizes)


class TokenConv1d(KeepingConv1d):
    """``torch.nn.Conv1d`` over the tokens of (batch, tokens, in_channels), as attention and the norms have them.

    Args:
        in_channels: width of the tokens.
        out_channels: width of the result.
        kernel_size: tokens that one output sees.
        dilation: distance in tokens between these.
        padding: zeros before and after the tokens; None: as many as keep their number, for an odd ``kernel_size``.
        stride: distance in tokens between outputs.

    Raises:
        ValueError: an even ``kernel_size`` without a padding.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int = 1,
        padding: tuple[int, int] | None = None,
        stride: int = 1,
    ) -> None:
        if padding is None:
            if kernel_size % 2 == 0:
                raise ValueError(f"kernel_size must be odd to keep the number of tokens, got {kernel_size}")
            padding = (dilation * (kernel_size // 2),) * 2
        same = padding[0] if padding[0] == padding[1] else 0
        super().__init__(
            in_channels, out_channels, kernel_size, stride=stride, padding=same, dilation=dilation
        )
        self.zeros = padding

    # pyrefly: ignore[bad-override-param-name]  (called by position only)
    def forward(self, tokens: TextTokens) -> Tensor:
        """Return (batch, tokens, out_channels)."""
        taps, dilation, stride = self.kernel_size[0], self.dilation[0], self.stride[0]
        if taps > 1 and int8.wanted() and self.is_read_only() and not torch.is_grad_enabled():
            small = self.kept("int8", lambda: int8.quantized(self.matrix()))
            return int8.convolve_int8(tokens, small, self.bias, taps, self.zeros, dilation, stride)
        made = self.convolve_kept(tokens, packs=self.weight.numel() >= _LARGE) if taps > 1 else None
        if made is not None:
            return made
        if self._pays_in_training(tokens):
            dtype = self.product_dtype()
            return spectral.convolve_in_training(tokens, self.weight, self.bias, self.zeros, dtype)
        weight = self.product_weight()
        # Rounded before windows are copied
        return convolve_flat(tokens.to(weight.dtype), weight, self.bias, taps, self.zeros, dilation, stride)

    def matrix(self) -> Tensor:
        """Return the weight as the matrix of its product."""
        return flat(self.weight)

    def _pays_in_training(self, tokens: TextTokens) -> bool:
        if self.dilation[0] > 1 or self.stride[0] > 1 or torch.compiler.is_compiling():
            return False
        num_tokens = tokens.shape[0] * tokens.shape[1]
        return spectral.pays(self.weight, self.product_dtype(), num_tokens, makes_spectra=True)


class TokenGroupNorm(nn.GroupNorm):
    """Group normalization over groups of channels and all tokens of (batch, tokens, width).

    Args:
        max_groups: number of groups; where it does not divide ``width``, their greatest common divisor.
        width: width of the tokens.
        eps: added to the variance.
    """

    def __init__(self, max_groups: int, width: int, eps: float) -> None:
        super().__init__(math.gcd(max_groups, width), width, eps=eps)

    # pyrefly: ignore[bad-override-param-name]  (called by position only)
    def forward(self, x: TextTokens) -> TextTokens:
        """Return the normalized tokens."""
        # To torch an image of height 1 with its channels last: no copy on a CPU
        image = x.transpose(1, 2).unsqueeze(2)
        image = F.group_norm(image, self.num_groups, self.weight, self.bias, self.eps)
        return image.squeeze(2).transpose(1, 2)
