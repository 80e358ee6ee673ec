import pytest

from audiolcm.data.batches import batch_indices
from audiolcm.errors import UserError


@pytest.mark.parametrize(("num_clips", "batch_size"), [(10, 3), (10, 10), (3, 8), (1, 4), (7, 1)])
def test_every_clip_once_an_epoch_whatever_the_batch_size(num_clips: int, batch_size: int) -> None:
    drawn = [
        index for step in range(6 * num_clips) for index in batch_indices(num_clips, batch_size, step, seed=3)
    ]
    epochs = [drawn[start : start + num_clips] for start in range(0, len(drawn) - num_clips, num_clips)]
    assert all(sorted(epoch) == list(range(num_clips)) for epoch in epochs)


def test_position_depends_on_the_step_only() -> None:
    forwards = [batch_indices(50, 8, step, seed=0) for step in range(20)]
    backwards = [batch_indices(50, 8, step, seed=0) for step in reversed(range(20))]
    assert forwards == backwards[::-1]


def test_epochs_and_seeds_give_other_orders() -> None:
    first = batch_indices(100, 100, 0, seed=0)
    assert first != list(range(100))
    assert first != batch_indices(100, 100, 1, seed=0)
    assert first != batch_indices(100, 100, 0, seed=1)


@pytest.mark.parametrize(("num_clips", "batch_size"), [(0, 4), (4, 0)])
def test_nothing_to_draw(num_clips: int, batch_size: int) -> None:
    with pytest.raises(UserError, match="at least 1"):
        batch_indices(num_clips, batch_size, 0, 0)
