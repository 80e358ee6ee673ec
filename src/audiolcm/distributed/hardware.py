"""Which device, which precision, how many threads."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from audiolcm.distributed import processes
from audiolcm.distributed.measuring import bfloat16_pays, fastest_threads, multiplies_8_bits
from audiolcm.errors import UserError

DEVICES = "auto, cpu, cuda, cuda:N or mps (Apple's GPU)"
PRECISIONS = ("auto", "float32", "bfloat16", "int8")
_LACKING = (
    "not currently implemented",
    "not implemented for",
    "not supported",
    "doesn't support",
    "does not support",
)
"""How torch says that its MPS back end lacks an operation or a type of numbers."""


@dataclass(frozen=True)
class Hardware:
    """``device``: auto, cpu, cuda, cuda:N or mps. ``precision``: auto, float32, bfloat16 (autocast) or int8.

    ``auto`` takes a GPU when there is one, of NVIDIA or else of Apple (mps), and bfloat16 where it is faster: on a GPU
    that computes it natively, and on a CPU whose matrix products are faster in it, which is measured in a tenth of a
    second (``measuring.bfloat16_pays``). Apple's GPUs were not measured and take float32. ``num_threads`` bounds the
    CPU threads of torch: a number, auto (with which a product is fastest, measured too), or null for torch's choice.
    ``int8`` is for sampling on a CPU: bfloat16 with the denoiser's convolutions in 8 bits. ``compile`` lets
    torch.compile make kernels of the transformers first, which takes a minute or more.
    """

    device: str = "auto"
    precision: str = "auto"
    num_threads: int | str | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UserError(f"hardware.precision={self.precision}: choose {', '.join(PRECISIONS)}.")
        if self.compile and self.precision == "int8":
            raise UserError("hardware.precision=int8 cannot be compiled: leave out hardware.compile or int8.")
        if self.num_threads is not None:
            threads = fastest_threads() if self.num_threads == "auto" else self.num_threads
            if not isinstance(threads, int) or threads < 1:
                raise UserError(f"hardware.num_threads={threads} must be auto, or a number from 1 on.")
            torch.set_num_threads(threads)

    def torch_device(self) -> torch.device:
        """Return the device, checked to exist."""
        name = self.device
        if name == "auto":
            name = _best()
        if name == "cuda" and processes.count() > 1:
            name = f"cuda:{processes.local_rank()}"
        try:
            device = torch.device(name)
        except RuntimeError as error:
            raise UserError(f"hardware.device={name}: choose {DEVICES}.") from error
        if device.type not in ("cpu", "cuda", "mps"):
            raise UserError(f"hardware.device={name} is not supported: choose {DEVICES}.")
        if device.type == "mps" and (not torch.backends.mps.is_available() or (device.index or 0) > 0):
            raise UserError(
                f"hardware.device={name}, but torch sees no such GPU of Apple. Type hardware.device=cpu."
            )
        if device.type == "mps" and processes.count() > 1:
            raise UserError(
                f"hardware.device={name} serves one process: leave out torchrun, or type hardware.device=cpu."
            )
        if device.type == "cuda" and not torch.cuda.is_available():
            raise UserError(
                f"hardware.device={name}, but torch sees no CUDA device. Type hardware.device=cpu."
            )
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise UserError(
                f"hardware.device={name}, but torch sees {torch.cuda.device_count()} CUDA devices: start one process "
                "for each GPU of a machine."
            )
        return device

    def uses_bfloat16(self) -> bool:
        """Return whether forward passes run under bfloat16 autocast."""
        if self.precision != "auto":
            return self.precision != "float32"
        if self.torch_device().type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        if self.torch_device().type == "mps":
            return False
        return processes.first_said("bfloat16 pays", bfloat16_pays())

    def computes_in(self) -> str:
        """Return the precision of forward passes in a word: float32, bfloat16 (autocast) or int8."""
        if self.uses_int8():
            return "int8"
        return "bfloat16" if self.uses_bfloat16() else "float32"

    def uses_int8(self) -> bool:
        """Return whether the sampler computes the denoiser's convolutions in 8 bits.

        Raises:
            UserError: not on this device, or not with this build of torch.
        """
        if self.precision != "int8":
            return False
        if self.torch_device().type != "cpu" or not multiplies_8_bits():
            raise UserError(
                "hardware.precision=int8 is for CPUs with VNNI and a torch with oneDNN. Type hardware.device=cpu, or "
                "hardware.precision=bfloat16 (audiolcm generate: --device cpu, --precision bfloat16)."
            )
        return True

    def for_training(self) -> "Hardware":
        """Return itself.

        Raises:
            UserError: nothing trains in this precision.
        """
        if self.precision == "int8":
            raise UserError(
                "hardware.precision=int8 is for sampling: gradients need more digits. Type "
                "hardware.precision=bfloat16, and sample what was trained with int8."
            )
        return self

    def in_precision(self, precision: str | None) -> "Hardware":
        """Return the same device in another precision; None leaves it."""
        return self if precision is None else replace(self, precision=precision)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the autocast context of training and sampling."""
        return torch.autocast(self.torch_device().type, torch.bfloat16, enabled=self.uses_bfloat16())

    def describe(self) -> str:
        """Return one line for cards and reports, such as ``cpu, 2 threads, bfloat16``."""
        device = self.torch_device()
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()
        name = f"GPU (mps) of {name}" if device.type == "mps" else name
        precision = "bfloat16 autocast" if self.uses_bfloat16() else "float32"
        precision += ", sampling in int8" if self.uses_int8() else ""
        precision += ", compiled" if self.compile else ""
        return f"{name}, {torch.get_num_threads()} threads, {precision}, torch {torch.__version__}"


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() and processes.count() == 1 else "cpu"


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def missing_on_mps(error: Exception) -> UserError | None:
    """Return what to tell people of an operation that Apple's GPUs lack in this torch; None for other errors."""
    text = str(error)
    lacking = isinstance(error, NotImplementedError | TypeError | RuntimeError) and "MPS" in text
    if not lacking or not any(words in text for words in _LACKING):
        return None
    return UserError(
        f"torch {torch.__version__} cannot compute this on Apple's GPU ({text.splitlines()[0].rstrip('. ')}). Let the "
        "CPU do what is missing there: export PYTORCH_ENABLE_MPS_FALLBACK=1, then the same command; or all of it: "
        "hardware.device=cpu (audiolcm generate: --device cpu)."
    )


@contextlib.contextmanager
def explaining_mps() -> Iterator[None]:
    """Inside, an operation that is missing on Apple's GPU is a ``UserError`` (``missing_on_mps``)."""
    try:
        yield
    except (NotImplementedError, TypeError, RuntimeError) as error:
        if told := missing_on_mps(error):
            raise told from error
        raise


def _cpu_name() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "CPU"


class Stopwatch:
    """Adds the wall time of a ``with`` block to a dictionary, after the device has done its work."""

    def __init__(self, seconds: dict[str, float], stage: str, device: torch.device) -> None:
        self.seconds, self.stage, self.device = seconds, stage, device

    def __enter__(self) -> None:
        self.began = self._now()

    def __exit__(self, *_: object) -> None:
        self.seconds[self.stage] = self._now() - self.began

    def _now(self) -> float:
        synchronize(self.device)
        return time.perf_counter()
