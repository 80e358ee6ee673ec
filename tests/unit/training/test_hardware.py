"""What ``auto`` chooses."""

import pytest
import torch

from audiolcm.training.hardware import Hardware


@pytest.mark.parametrize("has_amx", [True, False])
def test_auto_takes_bfloat16_on_a_cpu_with_amx_only(monkeypatch: pytest.MonkeyPatch, has_amx: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    hardware = Hardware(device="cpu")
    assert hardware.uses_bfloat16() is has_amx
    with hardware.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if has_amx else torch.float32)
