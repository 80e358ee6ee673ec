"""Weights whose dimensions lie in memory in another order than they are named: the same training."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from toy_training import Numbers, run_in, settings

from audiolcm.models.ema import ema_update, frozen_copy
from audiolcm.random_numbers import Generator
from audiolcm.training.checkpoint import Checkpoints
from audiolcm.training.loop import fit
from audiolcm.training.optimization import AdamW


class Convolving(nn.Module):
    """A convolution whose weight may be kept with its channels last, and its average."""

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        model = nn.Conv1d(3, 5, 2)
        if channels_last:
            model.weight.data = model.weight.data.permute(0, 2, 1).contiguous().permute(0, 2, 1)
        self.trained = nn.ModuleDict({"model": model, "average": frozen_copy(model)})

    def parts(self) -> dict[str, list[nn.Parameter]]:
        return {"model": list(self.trained["model"].parameters())}

    def losses(
        self, batch: dict[str, Tensor], step: int, generator: Generator
    ) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        x = batch["x"][:, None].expand(-1, 3, -1)
        yield "model", (self.trained["model"](x) - x[:, :1, 1:]).square().mean(), {}

    def after_step(self, step: int) -> None:
        ema_update(self.trained["average"], self.trained["model"], 0.9)

    def validate(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, float]:
        return {}

    def product(self) -> nn.Module:
        return self.trained["average"]


def steps_of(folder: Path, channels_last: bool, steps: int) -> dict[str, Tensor]:
    """Train; return what the last checkpoint holds."""
    fit(Convolving(channels_last), Numbers(), None, settings(steps, final_lr_fraction=1.0), run_in(folder))
    return load_file(Checkpoints(folder / "checkpoints", "abc").files()[0])


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_checkpoint_goes_on_in_another_layout(tmp_path: Path, channels_last: bool) -> None:
    straight = steps_of(tmp_path / "straight", channels_last, 12)
    steps_of(tmp_path / "other", not channels_last, 6)
    resumed = steps_of(tmp_path / "other", channels_last, 12)
    assert resumed.keys() == straight.keys()
    for name, tensor in straight.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=1e-5, atol=1e-7, msg=name)


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    saved = steps_of(tmp_path, False, 6)
    other = Convolving(True)
    optimizers = {"model": AdamW().make(other.parts()["model"])}
    assert Checkpoints(tmp_path / "checkpoints", "abc").restore(other.trained, optimizers) == 6
    weight = other.trained["model"].weight
    for name in ("exp_avg", "exp_avg_sq"):
        moment = optimizers["model"].state[weight][name]
        assert moment.stride() == weight.stride() != saved[f"optimizer/model/0/{name}"].stride()
        torch.testing.assert_close(moment, saved[f"optimizer/model/0/{name}"], rtol=0, atol=0)
    torch.testing.assert_close(weight, saved["trained/model.weight"], rtol=0, atol=0, check_stride=False)
