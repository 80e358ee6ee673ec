"""The floor of a measurement: its arithmetic at the rate of one large matrix product on the same device."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from audiolcm.distributed.hardware import Hardware, synchronize

_SIDE = {"cpu": 2048, "cuda": 8192}
_SMALL_SIDE = 1024


@contextmanager
def counting() -> Iterator[FlopCounterMode]:
    """Count operations inside, of convolutions as they are written: what a faster algorithm saves is no floor.

    To torch's counter is added what it does not know by itself on a CPU: fused attention and a product in place.
    """
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    back = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    counts = {
        torch.ops.aten.addmm_: lambda _, left, right, *__, **___: 2 * left[0] * left[1] * right[1],
        attention: lambda query, key, value, *_, **__: sdpa_flop_count(query, key, value),
        back: lambda grad, query, key, value, *_, **__: sdpa_backward_flop_count(grad, query, key, value),
    }
    with ExitStack() as contexts:
        with suppress(ImportError):  # an earlier version of the package has no other algorithm
            from audiolcm.models.spectral import direct_convolutions

            contexts.enter_context(direct_convolutions())
        yield contexts.enter_context(FlopCounterMode(display=False, custom_mapping=counts))


def count_flops(work: Callable[[], object]) -> int:
    """Return the floating-point operations of the matrix products and convolutions in ``work``.

    On tensors of torch's ``meta`` device nothing is computed.
    """
    with counting() as counter:
        work()
    return counter.get_total_flops()


class Product:
    """One large matrix product in the precision of the hardware; int8 sums in int32."""

    def __init__(self, hardware: Hardware) -> None:
        self.device = hardware.torch_device()
        self.side = _SIDE.get(self.device.type, _SMALL_SIDE)
        self.precision = hardware.computes_in()
        a = torch.randn(self.side, self.side, device=self.device)
        if self.precision == "int8":
            self.a, self.multiply = a.mul(40).clamp(-127, 127).to(torch.int8), torch._int_mm
        else:
            self.a, self.multiply = a.to(getattr(torch, self.precision)), torch.mm

    @torch.no_grad()
    def rate(self, repeats: int = 3) -> float:
        """Return operations a second, of the fastest of a few products."""
        return 2 * self.side**3 / min(self._seconds() for _ in range(repeats))

    def _seconds(self) -> float:
        synchronize(self.device)
        began = time.perf_counter()
        self.multiply(self.a, self.a)
        synchronize(self.device)
        return time.perf_counter() - began
