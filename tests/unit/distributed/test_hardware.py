"""What ``auto`` chooses."""

import os
from collections.abc import Callable, Iterator

import pytest
import torch

from audiolcm.diffusion.sampler import NoiseSource
from audiolcm.distributed import measuring
from audiolcm.distributed.hardware import Hardware, explaining_mps
from audiolcm.errors import UserError


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """As if the works that are measured took so many seconds."""
    for measured in (measuring.bfloat16_pays, measuring.fastest_threads):
        measured.cache_clear()
    yield lambda *seconds: monkeypatch.setattr(
        measuring, "seconds_of", lambda *works, **_: list(seconds[: len(works)])
    )
    for measured in (measuring.bfloat16_pays, measuring.fastest_threads):
        measured.cache_clear()


def abilities(monkeypatch: pytest.MonkeyPatch, amx: bool, avx512_bf16: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)


@pytest.mark.parametrize(
    ("in_float32", "in_bfloat16", "expected"),
    [(1.0, 0.1, True), (1.0, 0.37, True), (1.0, 0.7, False), (1.0, 20.0, False)],
)
def test_auto_takes_bfloat16_on_a_cpu_that_is_faster_in_it(
    taking: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    in_float32: float,
    in_bfloat16: float,
    expected: bool,
) -> None:
    abilities(monkeypatch, amx=False, avx512_bf16=True)
    taking(in_float32, in_bfloat16)
    hardware = Hardware(device="cpu")
    assert hardware.uses_bfloat16() is expected
    with hardware.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if expected else torch.float32)


@pytest.mark.parametrize(("amx", "avx512_bf16", "expected"), [(True, True, True), (False, False, False)])
def test_other_cpus_are_not_measured_so_that_a_busy_machine_changes_nothing(
    taking: Callable[..., None], monkeypatch: pytest.MonkeyPatch, amx: bool, avx512_bf16: bool, expected: bool
) -> None:
    abilities(monkeypatch, amx, avx512_bf16)
    taking(*((1.0, 1.0) if expected else (1.0, 0.1)))
    assert Hardware("cpu").uses_bfloat16() is expected


def test_threads_are_measured_once_and_shared_among_processes(
    taking: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    monkeypatch.setattr(measuring, "usable_cpus", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    taking()
    monkeypatch.setattr(measuring, "seconds_of", lambda *works: counts.append(len(works)) or [1.0, 0.5])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    Hardware("cpu", num_threads="auto").in_precision("float32")
    assert counts == [2]  # 1 and 2 of 8
    assert measuring.fastest_threads() == 2


def test_what_is_measured_are_true_products_in_each_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        made = measuring.product(dtype)()
        assert made.dtype == dtype and made.eq(576).all()
    assert all(
        seconds > 0 for seconds in measuring.seconds_of(measuring.product(torch.float32), lambda: None)
    )
    with torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
        abilities(monkeypatch, amx=False, avx512_bf16=True)
        assert isinstance(measuring.bfloat16_pays.__wrapped__(), bool)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((1.0, 0.5, 0.25), 8), ((1.0, 0.5, 0.48), 4), ((1.0, 0.95, 1.5), 1), ((1.0, 0.95, 0.8), 8)],
)
def test_threads_are_as_many_as_pay(
    taking: Callable[..., None], monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], expected: int
) -> None:
    monkeypatch.setattr(measuring, "physical_cores", lambda: 4)
    monkeypatch.setattr(measuring, "usable_cpus", lambda: 8)
    taking(*seconds)
    chosen = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    Hardware("cpu", num_threads="auto")
    assert chosen[-1] == expected


def test_threads_are_bounded_by_what_the_process_may_use() -> None:
    before = torch.get_num_threads()
    assert 1 <= measuring.fastest_threads() <= measuring.usable_cpus() <= os.cpu_count()
    assert measuring.physical_cores() >= 1
    assert torch.get_num_threads() == before
    for bad in (0, "many"):
        with pytest.raises(UserError, match=f"hardware.num_threads={bad} must be auto"):
            Hardware("cpu", num_threads=bad)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool, bool, int], None]:
    """As if the machine had GPUs of NVIDIA or of Apple, and the run so many processes."""

    def has(cuda: bool, mps: bool, processes: int = 1) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr("audiolcm.distributed.processes.count", lambda: processes)

    return has


@pytest.mark.parametrize(
    ("cuda", "mps", "processes", "expected"),
    [(False, True, 1, "mps"), (True, True, 1, "cuda"), (False, False, 1, "cpu"), (False, True, 2, "cpu")],
)
def test_auto_takes_nvidias_gpu_then_apples(
    machine: Callable[..., None], cuda: bool, mps: bool, processes: int, expected: str
) -> None:
    machine(cuda, mps, processes)
    assert Hardware().torch_device().type == expected


def test_apples_gpu_computes_in_float32_unless_told_otherwise(machine: Callable[..., None]) -> None:
    machine(False, True)
    assert not Hardware("mps").uses_bfloat16()
    assert Hardware("mps", "bfloat16").uses_bfloat16()
    assert "GPU (mps)" in Hardware("mps").describe() and "float32" in Hardware("mps").describe()
    assert Hardware("mps:0").torch_device() == torch.device("mps", 0)
    with Hardware("mps").autocast():
        assert not torch.is_autocast_enabled("mps")


@pytest.mark.parametrize(
    ("name", "mps", "processes", "words"),
    [
        ("mps", False, 1, "sees no such GPU of Apple"), ("mps:1", True, 1, "sees no such GPU of Apple"),
        ("mps", True, 2, "serves one process"), ("xpu", False, 1, "is not supported: choose auto, cpu, cuda"),
        ("apple", True, 1, "or mps"),
    ],
)  # fmt: skip
def test_devices_that_are_not_there(
    machine: Callable[..., None], name: str, mps: bool, processes: int, words: str
) -> None:
    machine(False, mps, processes)
    with pytest.raises(UserError, match=words):
        Hardware(name).torch_device()


@pytest.mark.parametrize(
    "error",
    [
        NotImplementedError(
            "The operator 'aten::foo' is not currently implemented for the MPS device. If you want"
        ),
        TypeError(
            "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."
        ),
    ],
)
def test_what_mps_lacks_is_one_message(error: Exception) -> None:
    with (
        pytest.raises(UserError, match="PYTORCH_ENABLE_MPS_FALLBACK=1.*hardware.device=cpu"),
        explaining_mps(),
    ):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        NotImplementedError("later"),
        RuntimeError("MPS backend out of memory"),
        ValueError("MPS not supported"),
    ],
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, explaining_mps():
        raise error
    assert raised.value is error


def test_draws_come_from_the_cpu_whatever_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal noise on every device: MPS has other generators, and no float64."""
    moved = []
    monkeypatch.setattr(
        torch.Tensor, "to", lambda self, device: moved.append((self.device.type, device)) or self
    )
    NoiseSource([1, 2], 4, 8, torch.device("mps")).draw()
    assert moved == [("cpu", torch.device("mps"))]


def test_eight_bits_are_for_sampling_on_a_cpu() -> None:
    hardware = Hardware("cpu", "int8")
    assert hardware.uses_bfloat16() and hardware.uses_int8() and hardware.computes_in() == "int8"
    with pytest.raises(UserError, match="int8 is for sampling"):
        hardware.for_training()
    assert Hardware("cpu", "float32").for_training().computes_in() == "float32"


def test_eight_bits_are_not_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"int8 is for CPUs.*--precision bfloat16"):
        Hardware("cpu", "int8").computes_in()
