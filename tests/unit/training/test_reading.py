"""Examples read by a thread one step ahead: the same training, with the same errors at the same steps."""

import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_loop import TwoParts, weights
from torch import Tensor
from toy_training import Numbers, run_in, settings

from audiolcm.environment.interrupts import Interrupted
from audiolcm.errors import UserError
from audiolcm.random_numbers import Generator
from audiolcm.training.checkpoint import Checkpoints
from audiolcm.training.loop import StageRun, fit
from audiolcm.training.parallel import Parallel


def ahead_in(folder: Path) -> StageRun:
    return replace(run_in(folder), parallel=Parallel(read_ahead=True))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_weights_are_those_without_a_thread(tmp_path: Path, accumulate: int) -> None:
    asked = settings(12, accumulate=accumulate)
    fit(plain := TwoParts(), Numbers(), Numbers(), asked, run_in(tmp_path / "plain"))
    fit(ahead := TwoParts(), Numbers(), Numbers(), asked, ahead_in(tmp_path / "ahead"))
    for a, b in zip(weights(plain), weights(ahead), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_next_step_is_read_while_one_is_computed(tmp_path: Path) -> None:
    """Each step waits until the next batch is read, which it could not without the thread."""
    is_read = [threading.Event() for _ in range(6)]
    threads = set()

    class Told(Numbers):
        number = 0

        def batch(self, indices: list[int], generator: Generator) -> dict[str, Tensor]:
            threads.add(threading.current_thread())
            is_read[self.number].set()
            self.number += 1
            return super().batch(indices, generator)

    class Waiting(TwoParts):
        def losses(self, batch, step, generator):
            assert is_read[min(step + 1, 5)].wait(60)
            yield from super().losses(batch, step, generator)

    fit(Waiting(), Told(), None, settings(6), ahead_in(tmp_path))
    assert len(threads) == 1 and threading.main_thread() not in threads


def test_an_error_arrives_at_the_step_that_it_belongs_to(tmp_path: Path) -> None:
    class Broken(Numbers):
        calls = 0

        def batch(self, indices: list[int], generator: Generator) -> dict[str, Tensor]:
            self.calls += 1
            if self.calls == 7:
                raise UserError("clip7.wav is gone.")
            return super().batch(indices, generator)

    with pytest.raises(UserError, match="clip7.wav is gone"):
        fit(TwoParts(), Broken(), None, settings(20), ahead_in(tmp_path))
    assert Checkpoints(tmp_path / "checkpoints", "abc").files()[0].stem == "step-00000006"


def test_it_stops_on_a_signal_and_goes_on(tmp_path: Path) -> None:
    dying = TwoParts()
    dying.kill_at, dying.kill_with = 8, signal.SIGTERM
    with pytest.raises(Interrupted):
        fit(dying, Numbers(), None, settings(), ahead_in(tmp_path))
    resumed, straight = TwoParts(), TwoParts()
    assert fit(resumed, Numbers(), None, settings(), ahead_in(tmp_path)) == 9
    fit(straight, Numbers(), None, settings(), run_in(tmp_path / "straight"))
    for a, b in zip(weights(straight), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("asked", "on_cpu", "on_gpu"), [(None, False, True), (True, True, True), (False, False, False)]
)
def test_a_gpu_is_read_ahead_for(asked: bool | None, on_cpu: bool, on_gpu: bool) -> None:
    parallel = Parallel(read_ahead=asked)
    assert parallel.reads_ahead(torch.device("cpu")) is on_cpu
    assert parallel.reads_ahead(torch.device("cuda", 0)) is on_gpu
