"""A teacher kept in bfloat16 for a training in bfloat16: the same losses and gradients, to the bit, in less memory."""

import pytest
import torch
from torch import Tensor

from audiolcm.configuration.schema import compose
from audiolcm.distributed.hardware import Hardware
from audiolcm.random_numbers import randn
from audiolcm.sizing.memory import random_batch, untrained
from audiolcm.training.loop import losses_under
from audiolcm.training.parallel import Parallel, round_what_is_read


def one_step(precision: str, rounded: bool) -> tuple[Tensor, list[Tensor], set[torch.dtype]]:
    """Return the loss and the gradients of a distillation, and the types of the teacher's matrices."""
    torch.manual_seed(0)
    cfg = compose(["model.width=64", "model.depth=2", "dataset.duration=2.0", "trainer=smoke"])
    objective, hardware = untrained(cfg, "student"), Hardware("cpu", precision)
    numbers = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for network in (objective.teacher, *objective.trained.values()):
            for weight in network.parameters():
                weight.add_(0.05 * randn(weight.shape, numbers))
    with pytest.MonkeyPatch.context() as patch:
        if not rounded:
            patch.setattr("audiolcm.training.parallel.round_what_is_read", lambda objective: None)
        engine = Parallel().spread(objective, hardware)
    ((part, loss, _),) = losses_under(objective, random_batch(cfg, "student", 2), 0, numbers, hardware)
    engine.backward(part, loss, last=True)
    types = {weight.dtype for weight in objective.teacher.parameters() if weight.dim() > 1}
    return loss.detach(), [weight.grad for weight in objective.parts()[part]], types


def test_nothing_changes_but_the_memory() -> None:
    torch.manual_seed(0)
    (loss, gradients, types), (expected, theirs, theirs_types) = (
        one_step("bfloat16", rounded) for rounded in (True, False)
    )
    assert (types, theirs_types) == ({torch.bfloat16}, {torch.float32})
    torch.testing.assert_close(loss, expected, rtol=0, atol=0)
    torch.testing.assert_close(gradients, theirs, rtol=0, atol=0)


def test_in_float32_nothing_is_rounded() -> None:
    assert one_step("float32", True)[2] == {torch.float32}


def test_an_objective_without_networks_that_are_only_read_is_left_alone() -> None:
    objective = untrained(compose(["model.width=64", "trainer=smoke", "dataset.duration=2.0"]), "teacher")
    round_what_is_read(objective)
    assert {weight.dtype for weight in objective.parameters()} == {torch.float32}
