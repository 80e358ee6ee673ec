"""The loop on a tiny adversarial objective: resume, damage, non-finite losses, signals."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toy_training import Numbers, run_in, settings

from audiolcm.data.loading.batches import batch_indices
from audiolcm.environment.interrupts import Interrupted
from audiolcm.errors import UserError
from audiolcm.random_numbers import Generator, randn
from audiolcm.training.checkpoint import Checkpoints
from audiolcm.training.loop import fit
from audiolcm.training.optimization import AdamW
from audiolcm.training.tracking import read_metrics


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
        self, batch: dict[str, Tensor], step: int, generator: Generator
    ) -> Iterator[tuple[str, Tensor, dict[str, float]]]:
        if step == self.kill_at:
            os.kill(os.getpid(), self.kill_with)
        x = batch["x"] + randn(batch["x"].shape, generator)
        made = self.trained["generator"](x)
        yield "critic", self.trained["critic"](made.detach()).tanh().mean() - x.mean() * 0.0, {}
        yield "generator", (made - x).square().mean() - self.trained["critic"](made).tanh().mean(), {}

    def after_step(self, step: int) -> None:
        with torch.no_grad():
            for a, b in zip(self.trained["average"].parameters(), self.parts()["generator"], strict=True):
                a.lerp_(b, 0.1)

    def validate(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, float]:
        return {"mean": float(self.trained["generator"](batch["x"]).mean())}

    def product(self) -> nn.Module:
        return self.trained["average"]


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

        def batch(self, indices: list[int], generator: Generator) -> dict[str, Tensor]:
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
    with pytest.raises(UserError, match="norm of the generator gradient is nan at step 0"):
        fit(steep, Numbers(), None, settings(log_every=5), run_in(tmp_path))
    for a, b in zip(before[:4], weights(steep)[:4], strict=True):  # of generator and critic
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not Checkpoints(tmp_path / "checkpoints", "abc").files()


class Plain(AdamW):
    """Makes an optimizer that cannot skip a step on the device."""

    def make(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=0.0)


@pytest.mark.parametrize("optimizer", [AdamW(), Plain()])
@pytest.mark.parametrize("bad_step", [0, 3, 7])
def test_what_is_not_finite_is_told_of_later_as_of_the_step_that_it_was_in(
    tmp_path: Path, bad_step: int, optimizer: AdamW
) -> None:
    """The weights are those of the steps before, however long nobody looks at the device."""

    class Late(TwoParts):
        def losses(self, batch, step, generator):
            for part, loss, scalars in super().losses(batch, step, generator):
                yield part, loss * (float("nan") if step == bad_step and part == "critic" else 1.0), scalars

    late, good = Late(), TwoParts()
    asked = settings(20, log_every=10, checkpoint_every=10)
    run = replace(run_in(tmp_path), optimizer=optimizer)
    clips = Numbers().names(batch_indices(13, 4, bad_step, 7))
    with pytest.raises(UserError, match=rf"critic loss is nan at step {bad_step}\. .*: {', '.join(clips)}\."):
        fit(late, Numbers(), None, asked, run)

    if bad_step:
        good.kill_at = bad_step - 1
        with pytest.raises(Interrupted):
            fit(good, Numbers(), None, asked, replace(run, folder=tmp_path / "good"))
    for a, b in zip(weights(good)[:4], weights(late)[:4], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert not Checkpoints(tmp_path / "checkpoints", "abc").files()


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


def test_other_identity_or_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr("audiolcm.training.checkpoint.FORMAT_VERSION", 9)
        fit(TwoParts(), Numbers(), None, settings(6), run_in(tmp_path))
    other = Checkpoints(tmp_path / "checkpoints", "other")
    with pytest.raises(UserError, match="Upgrade audiolcm"):
        other.restore(TwoParts().trained, {})
    fit(TwoParts(), Numbers(), None, settings(6), run_in(tmp_path / "now"))
    with pytest.raises(UserError, match="another configuration"):
        Checkpoints(tmp_path / "now/checkpoints", "other").restore(TwoParts().trained, {})


def test_one_parts_loss_leaves_the_other_alone(tmp_path: Path) -> None:
    """The generator's loss passes through the critic; the critic must move by its own loss only."""
    fit(frozen := TwoParts(), Numbers(), None, settings(1), run_in(tmp_path))
    assert all(p.grad is None for p in frozen.trained.parameters())


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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_ctrl_c_and_a_terminal_that_closes_save_and_exit(tmp_path: Path, number: int, code: int) -> None:
    dying = TwoParts()
    dying.kill_at, dying.kill_with = 8, number
    with pytest.raises(Interrupted) as caught:
        fit(dying, Numbers(), None, settings(), run_in(tmp_path))
    assert caught.value.code == code
    assert Checkpoints(tmp_path / "checkpoints", "abc").files()[0].stem == "step-00000009"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
