"""One step of the loop against torch's own AdamW, the learning rate, and the precision."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toy_training import Numbers, run_in, settings

from audiolcm.data.loading.batches import batch_indices
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.random_numbers import ExampleGenerators, Generator
from audiolcm.training.loop import StageRun, fit
from audiolcm.training.optimization import AdamW, learning_rate_at
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.tracking import NoTracker


class Slope(nn.Module):
    """A loss of a known large gradient; keeps the dtype its layer computed in."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trained = nn.ModuleDict({"model": nn.Linear(4, 2)})
        self.dtypes: list[torch.dtype] = []

    def parts(self) -> dict[str, list[nn.Parameter]]:
        return {"model": list(self.trained["model"].parameters())}

    def losses(
        self, batch: dict[str, Tensor], step: int, generator: Generator
    ) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        made = self.trained["model"](batch["x"])
        self.dtypes.append(made.dtype)
        yield "model", 1e3 * made.float().square().sum() / (1 + step) ** 4, {}

    def after_step(self, step: int) -> None:
        pass

    def validate(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, float]:
        return {}

    def product(self) -> nn.Module:
        return self.trained["model"]


@pytest.mark.parametrize("clip_norm", [0.5, None])
def test_steps_are_those_of_adamw_behind_a_clipped_gradient(tmp_path: Path, clip_norm: float | None) -> None:
    """Written out with torch alone: a gradient far above the bound, then one below it, and weight decay."""
    chosen, loud = settings(6, clip_norm=clip_norm), Slope()
    optimizer = AdamW(beta1=0.8, beta2=0.95, weight_decay=0.2, eps=1e-6)
    fit(
        loud,
        Numbers(),
        None,
        chosen,
        StageRun("toy", tmp_path, "abc", 7, Hardware("cpu", "float32"), optimizer, NoTracker()),
    )
    expected, data, norms = Slope(), Numbers(), []
    theirs = torch.optim.AdamW(expected.parameters(), lr=1.0, betas=(0.8, 0.95), weight_decay=0.2, eps=1e-6)
    for step in range(6):
        rng = ExampleGenerators([generator_for(7, "step", step, place) for place in range(4)], 0, 4)
        batch = data.batch(batch_indices(len(data), 4, step, 7), rng)
        theirs.param_groups[0]["lr"] = learning_rate_at(step, chosen)
        ((_, loss, _),) = expected.losses(batch, step, rng)
        theirs.zero_grad()
        loss.backward()
        norm = torch.sqrt(sum(p.grad.square().sum() for p in expected.parameters()))
        norms.append(float(norm))
        for parameter in expected.parameters():
            parameter.grad *= min(1.0, clip_norm / (float(norm) + 1e-6)) if clip_norm else 1.0
        theirs.step()
    assert max(norms) > 0.5
    for a, b in zip(loud.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_losses_are_computed_in_the_asked_precision(
    tmp_path: Path, precision: str, dtype: torch.dtype
) -> None:
    slope = Slope()
    fit(slope, Numbers(), None, settings(2), run_in(tmp_path, precision))
    assert set(slope.dtypes) == {dtype}
    assert {p.dtype for p in slope.parameters()} == {torch.float32}


def test_learning_rate() -> None:
    s = settings(100, warmup_steps=10, final_lr_fraction=0.1)
    rates = [learning_rate_at(step, s) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3)
    assert max(rates) == rates[9] == rates[10] == pytest.approx(1e-2)
    assert rates[55] == pytest.approx(1e-2 * (0.1 + 0.9 * 0.5))
    assert 1e-3 < rates[99] < 1.01e-3 + 1e-5
    flat = settings(100, warmup_steps=0, final_lr_fraction=1.0)
    assert learning_rate_at(0, flat) == learning_rate_at(99, flat) == 1e-2


def test_exponential_decay_is_torchs() -> None:
    s = settings(20, warmup_steps=0, final_lr_fraction=1.0, lr_decay=0.9)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-2)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    for step in range(20):
        assert learning_rate_at(step, s) == pytest.approx(schedule.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        schedule.step()
    assert learning_rate_at(5, settings(20, lr_decay=0.9)) == pytest.approx(
        learning_rate_at(5, settings(20)) * 0.9**2
    )


def test_a_decay_belongs_to_an_identity_only_where_there_is_one() -> None:
    assert "lr_decay" not in settings(20).identity()
    assert settings(20, lr_decay=0.5).identity() == settings(20).identity() | {"lr_decay": 0.5}
    with pytest.raises(UserError, match="lr_decay"):
        settings(20, lr_decay=1.5)
