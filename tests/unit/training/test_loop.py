"""The loop on a tiny adversarial objective: resume, damage, non-finite losses, signals."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from audiolcm.data.batches import batch_indices
from audiolcm.errors import UserError
from audiolcm.training.checkpoint import Checkpoints
from audiolcm.training.hardware import Hardware
from audiolcm.training.loop import Interrupted, StageRun, fit
from audiolcm.training.optimization import AdamW, learning_rate_at
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.settings import StageSettings
from audiolcm.training.tracking import NoTracker, read_metrics


class Numbers:
    """Thirteen noisy examples."""

    def __init__(self, poison: int | None = None) -> None:
        self.poison = poison

    def __len__(self) -> int:
        return 13

    def names(self, indices: list[int]) -> list[str]:
        return [f"clip{index}" for index in indices]

    def batch(self, indices: list[int], generator: torch.Generator) -> dict[str, Tensor]:
        x = torch.tensor(indices)[:, None] + torch.randn(len(indices), 4, generator=generator)
        if self.poison in indices:
            x[0, 0] = float("nan")
        return {"x": x}


class TwoParts(nn.Module):
    """A generator and a critic that pull against each other, with an average of the generator."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trained = nn.ModuleDict(
            {"generator": nn.Linear(4, 4), "critic": nn.Linear(4, 1), "average": nn.Linear(4, 4)}
        )
        self.kill_at: int | None = None
        self.kill_with = signal.SIGTERM

    def parts(self) -> dict[str, list[nn.Parameter]]:
        return {name: list(self.trained[name].parameters()) for name in ("critic", "generator")}

    def losses(
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        if step == self.kill_at:
            os.kill(os.getpid(), self.kill_with)
        x = batch["x"] + torch.randn(batch["x"].shape, generator=generator)
        made = self.trained["generator"](x)
        yield "critic", self.trained["critic"](made.detach()).tanh().mean() - x.mean() * 0.0, {}
        yield "generator", (made - x).square().mean() - self.trained["critic"](made).tanh().mean(), {}

    def after_step(self, step: int) -> None:
        with torch.no_grad():
            for a, b in zip(self.trained["average"].parameters(), self.parts()["generator"], strict=True):
                a.lerp_(b, 0.1)

    def validate(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, float]:
        return {"mean": float(self.trained["generator"](batch["x"]).mean())}

    def product(self) -> nn.Module:
        return self.trained["average"]


def settings(steps: int = 20, **changes: object) -> StageSettings:
    fixed = {
        "batch_size": 4,
        "learning_rate": 1e-2,
        "crop_seconds": 1.0,
        "log_every": 1,
        "checkpoint_every": 6,
    }
    return StageSettings(**{"steps": steps, "warmup_steps": 3, "final_lr_fraction": 0.1, **fixed, **changes})


def run_in(folder: Path, precision: str = "float32") -> StageRun:
    return StageRun("toy", folder, "abc", 7, Hardware("cpu", precision), AdamW(), NoTracker())


def weights(objective: TwoParts) -> list[Tensor]:
    return [p.detach().clone() for p in objective.trained.parameters()]


class Killed(Exception):
    """Stands for kill -9: nothing runs after it."""


@pytest.mark.parametrize("killed_at", [1, 6, 7, 13, 19])
def test_resume_is_bit_exact(tmp_path: Path, killed_at: int) -> None:
    straight = TwoParts()
    fit(straight, Numbers(), Numbers(), settings(), run_in(tmp_path / "straight"))

    class DyingNumbers(Numbers):
        calls = 0

        def batch(self, indices: list[int], generator: torch.Generator) -> dict[str, Tensor]:
            self.calls += 1
            if self.calls > killed_at:
                raise Killed
            return super().batch(indices, generator)

    with pytest.raises(Killed):
        fit(TwoParts(), DyingNumbers(), None, settings(), run_in(tmp_path / "killed"))
    resumed = TwoParts()
    start = fit(resumed, Numbers(), Numbers(), settings(), run_in(tmp_path / "killed"))
    assert start == killed_at // 6 * 6
    for a, b in zip(weights(straight), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    straight_log = read_metrics(tmp_path / "straight/metrics.jsonl")
    resumed_log = read_metrics(tmp_path / "killed/metrics.jsonl")
    kept = [{k: v for k, v in row.items() if k != "steps_per_second"} for row in straight_log]
    assert kept == [{k: v for k, v in row.items() if k != "steps_per_second"} for row in resumed_log]


@pytest.mark.parametrize("keep_bytes", [0, 7, 100, -1])
def test_damaged_checkpoint_falls_back(
    tmp_path: Path, keep_bytes: int, caplog: pytest.LogCaptureFixture
) -> None:
    straight = TwoParts()
    fit(straight, Numbers(), None, settings(20), run_in(tmp_path))
    newest, before = Checkpoints(tmp_path / "checkpoints", "abc").files()
    data = newest.read_bytes()
    newest.write_bytes(data[:keep_bytes])
    resumed = TwoParts()
    start = fit(resumed, Numbers(), None, settings(20), run_in(tmp_path))
    assert start == int(before.stem.split("-")[1])
    assert "damaged" in caplog.text
    for a, b in zip(weights(straight), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_not_finite_stops_with_step_clips_and_checkpoint(tmp_path: Path) -> None:
    fit(TwoParts(), Numbers(), None, settings(6), run_in(tmp_path))
    with pytest.raises(UserError) as caught:
        fit(TwoParts(), Numbers(poison=3), None, settings(40), run_in(tmp_path))
    message = str(caught.value)
    assert "clip3" in message
    assert "at step" in message
    assert "step-00000006.safetensors" in message


def test_infinite_gradient_of_a_finite_loss_never_reaches_the_weights(tmp_path: Path) -> None:
    class Steep(TwoParts):
        def losses(self, batch, step, generator):
            weight = self.trained["generator"].weight
            yield "generator", (weight - weight.detach()).abs().sqrt().sum(), {}  # 0 with slope infinity

    steep = Steep()
    before = weights(steep)
    with pytest.raises(UserError, match="norm of the generator gradient"):
        fit(steep, Numbers(), None, settings(), run_in(tmp_path))
    for a, b in zip(before, weights(steep), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_sigterm_saves_and_exits_143(tmp_path: Path) -> None:
    dying = TwoParts()
    dying.kill_at = 8
    with pytest.raises(Interrupted) as caught:
        fit(dying, Numbers(), None, settings(), run_in(tmp_path))
    assert caught.value.code == 143
    resumed, straight = TwoParts(), TwoParts()
    assert fit(resumed, Numbers(), None, settings(), run_in(tmp_path)) == 9
    fit(straight, Numbers(), None, settings(), run_in(tmp_path / "straight"))
    for a, b in zip(weights(straight), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_other_identity_or_newer_format_is_refused(tmp_path: Path) -> None:
    fit(TwoParts(), Numbers(), None, settings(6), run_in(tmp_path))
    other = Checkpoints(tmp_path / "checkpoints", "other")
    with pytest.raises(UserError, match="another configuration"):
        other.restore(TwoParts().trained, {})
    path = other.files()[0]
    path.write_bytes(path.read_bytes().replace(b'"format":"1"', b'"format":"9"'))
    with pytest.raises(UserError, match="Upgrade audiolcm"):
        Checkpoints(tmp_path / "checkpoints", "abc").restore(TwoParts().trained, {})


def test_one_parts_loss_leaves_the_other_alone(tmp_path: Path) -> None:
    """The generator's loss passes through the critic; the critic must move by its own loss only."""
    fit(frozen := TwoParts(), Numbers(), None, settings(1), run_in(tmp_path))
    assert all(p.grad is None for p in frozen.trained.parameters())


def test_learning_rate() -> None:
    s = settings(100, warmup_steps=10, final_lr_fraction=0.1)
    rates = [learning_rate_at(step, s) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3)
    assert max(rates) == rates[9] == rates[10] == pytest.approx(1e-2)
    assert rates[55] == pytest.approx(1e-2 * (0.1 + 0.9 * 0.5))
    assert 1e-3 < rates[99] < 1.01e-3 + 1e-5
    flat = settings(100, warmup_steps=0, final_lr_fraction=1.0)
    assert learning_rate_at(0, flat) == learning_rate_at(99, flat) == 1e-2


def test_metrics_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1, "loss": 2.0}) + '\n{"step": 2, "lo')
    assert read_metrics(path) == [{"step": 1, "loss": 2.0}]


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"final_lr_fraction": 2.0}]
)
def test_settings_name_what_is_bad(bad: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(bad))):
        settings(**bad)


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
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        made = self.trained["model"](batch["x"])
        self.dtypes.append(made.dtype)
        yield "model", 1e3 * made.float().square().sum() / (1 + step) ** 4, {}

    def after_step(self, step: int) -> None:
        pass

    def validate(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, float]:
        return {}

    def product(self) -> nn.Module:
        return self.trained["model"]


def test_steps_are_those_of_adamw_behind_a_clipped_gradient(tmp_path: Path) -> None:
    """Written out with torch alone: a gradient far above the bound, then one below it, and weight decay."""
    chosen, loud = settings(6, clip_norm=0.5), Slope()
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
        rng = generator_for(7, "step", step)
        batch = data.batch(batch_indices(len(data), 4, step, 7), rng)
        theirs.param_groups[0]["lr"] = learning_rate_at(step, chosen)
        ((_, loss, _),) = expected.losses(batch, step, rng)
        theirs.zero_grad()
        loss.backward()
        norm = torch.sqrt(sum(p.grad.square().sum() for p in expected.parameters()))
        norms.append(float(norm))
        for parameter in expected.parameters():
            parameter.grad *= min(1.0, 0.5 / (float(norm) + 1e-6))
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


def test_ctrl_c_saves_and_exits_130(tmp_path: Path) -> None:
    dying = TwoParts()
    dying.kill_at, dying.kill_with = 8, signal.SIGINT
    with pytest.raises(Interrupted) as caught:
        fit(dying, Numbers(), None, settings(), run_in(tmp_path))
    assert caught.value.code == 130
    assert Checkpoints(tmp_path / "checkpoints", "abc").files()[0].stem == "step-00000009"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
