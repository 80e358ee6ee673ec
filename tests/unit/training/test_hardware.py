"""What ``auto`` chooses."""

import pytest
import torch

from audiolcm.training.hardware import Hardware


@pytest.mark.parametrize(
    ("name", "has_amx", "has_avx512_bf16", "expected"),
    [
        ("Intel Xeon", True, True, True),
        ("Intel Xeon", False, True, False),
        ("AMD EPYC", False, True, True),
        ("AMD EPYC", False, False, False),
        ("CPU", False, False, False),
    ],
)
def test_auto_takes_bfloat16_on_a_cpu_that_is_faster_in_it(
    monkeypatch: pytest.MonkeyPatch, name: str, has_amx: bool, has_avx512_bf16: bool, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_avx512_bf16)
    monkeypatch.setattr("audiolcm.training.hardware._cpu_name", lambda: name)
    hardware = Hardware(device="cpu")
    assert hardware.uses_bfloat16() is expected
    with hardware.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if expected else torch.float32)
