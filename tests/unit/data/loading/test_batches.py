import numpy as np
import pytest

from audiolcm.data.loading.batches import batch_indices, bucketed_indices
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


BUCKET_OF = np.array([0, 1, 1, 0, 2, 1, 1, 1, 0, 1, 3, 1, 1, 1], np.int8)  # 3, 9, 1 and 1 clips


@pytest.mark.parametrize("batch_size", [1, 2, 4, 20])
def test_a_batch_is_of_one_bucket_and_an_epoch_has_every_clip(batch_size: int) -> None:
    sizes = np.bincount(BUCKET_OF)
    num_steps = int(np.ceil(sizes / batch_size).sum())
    for epoch in range(3):
        steps = range(epoch * num_steps, (epoch + 1) * num_steps)
        batches = [bucketed_indices(BUCKET_OF, batch_size, step, seed=5) for step in steps]
        assert all(len(batch) == batch_size and len(set(BUCKET_OF[batch])) == 1 for batch in batches)
        times = np.bincount(np.concatenate(batches), minlength=len(BUCKET_OF))
        assert times.min() >= 1
        for bucket, size in enumerate(sizes):  # what fills the last batch of a bucket
            surplus = int((times[bucket == BUCKET_OF] - 1).sum())
            assert surplus == -size % batch_size


def test_buckets_depend_on_step_and_seed_only() -> None:
    forwards = [bucketed_indices(BUCKET_OF, 2, step, seed=0) for step in range(20)]
    backwards = [bucketed_indices(BUCKET_OF, 2, step, seed=0) for step in reversed(range(20))]
    assert forwards == backwards[::-1]
    assert forwards[:8] != forwards[8:16]
    assert forwards != [bucketed_indices(BUCKET_OF, 2, step, seed=1) for step in range(20)]


def test_an_unused_bucket_gives_no_batch() -> None:
    drawn = {BUCKET_OF[i] for step in range(9) for i in bucketed_indices(BUCKET_OF * 2, 2, step, 0)}
    assert drawn == {0, 1, 2, 3}
    with pytest.raises(UserError, match="at least 1"):
        bucketed_indices(np.array([], np.int8), 2, 0, 0)


def test_the_order_of_an_epoch_is_the_one_it_always_was() -> None:
    order = np.random.Generator(np.random.PCG64([3, 1])).permutation(10).tolist()
    assert batch_indices(10, 10, 1, seed=3) == order
