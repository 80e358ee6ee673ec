"""Running out of memory in training, by the errors that torch and Python really raise."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from test_loop import TwoParts
from torch import Tensor
from toy_training import Numbers, run_in, settings

from audiolcm.errors import UserError
from audiolcm.training.loop import fit
from audiolcm.training.parallel import advice_on_memory


def too_much_for_the_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nMore lines")


def too_much_for_the_computer() -> None:
    torch.empty(2**60)


def too_much_for_python() -> None:
    raise MemoryError


class Large(TwoParts):
    """Fails at its third step."""

    def __init__(self, fail: Callable[[], None]) -> None:
        super().__init__()
        self.fail = fail

    def losses(self, batch: dict[str, Tensor], step: int, generator: object) -> Iterator[object]:
        if step == 3:
            self.fail()
        yield from super().losses(batch, step, generator)


@pytest.mark.parametrize("fail", [too_much_for_the_gpu, too_much_for_the_computer, too_much_for_python])
def test_one_message_says_what_to_type(fail: Callable[[], None], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        fit(Large(fail), Numbers(), None, settings(), run_in(tmp_path))
    message = str(caught.value)
    assert message.startswith("toy: there is no memory for 4 examples at once")
    assert "trainer.toy.accumulate=2" in message
    assert "+plan=true" in message
    assert "\n" not in message


def test_other_errors_go_through(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        fit(Large(fail), Numbers(), None, settings(), run_in(tmp_path))


def test_advice_is_what_helps_the_stage() -> None:
    def message(stage: str, piece: int | None, batch_size: int = 2) -> str:
        asked = settings(batch_size=batch_size)
        with pytest.raises(UserError) as caught, advice_on_memory(asked, stage, piece):
            too_much_for_python()
        return str(caught.value)

    assert "parallel.recompute=true" in message("student", 1)
    assert "parallel=fsdp" in message("student", 1)
    of_vocoder = message("vocoder", None)
    assert "accumulate=" not in of_vocoder
    assert "fsdp" not in of_vocoder
    assert "trainer.vocoder.batch_size" in of_vocoder
    assert "trainer.autoencoder.accumulate=3" in message("autoencoder", 4, 12), "groups of 4 stay whole"
    assert "accumulate=" not in message("autoencoder", 4, 4)


def test_accumulation_is_refused_where_it_is_not_exact(tmp_path: Path) -> None:
    objective = TwoParts()
    objective.additive = False
    with pytest.raises(UserError, match=r"trainer.toy.accumulate=2: the adversarial"):
        fit(objective, Numbers(), None, settings(accumulate=2), run_in(tmp_path))


def test_groups_that_share_statistics_stay_whole(tmp_path: Path) -> None:
    objective = TwoParts()
    objective.examples_together = 4
    for accumulate in (1, 2):
        asked = settings(batch_size=6, accumulate=accumulate)
        with pytest.raises(
            UserError, match=rf"takes its statistics over groups of 4: .*multiple of {4 * accumulate}"
        ):
            fit(objective, Numbers(), None, asked, run_in(tmp_path))
    fit(objective, Numbers(), None, settings(batch_size=8, accumulate=2, steps=1), run_in(tmp_path))
