"""What processes take of a batch: together the whole of it, each example with its own draws."""

import numpy as np
import pytest
import torch
from toy_training import Numbers, settings

from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.training.micro_batches import training_pieces


def taken(monkeypatch, count, accumulate, data, step=3):
    """Clips and first draws of a step over all processes and pieces, in the order of the batch."""
    found = {}
    chosen = settings(batch_size=4, accumulate=accumulate)
    monkeypatch.setattr(processes, "count", lambda: count)
    for rank in range(count):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        for indices, draws in training_pieces(data, chosen, step, 7):
            for place, (index, generator) in enumerate(zip(indices, draws.generators, strict=True)):
                found[draws.first + place] = (index, float(torch.rand((), generator=generator)))
            assert draws.total == 4
    return [found[place] for place in range(4)]


@pytest.mark.parametrize(("count", "accumulate"), [(2, 1), (4, 1), (1, 4), (2, 2)])
def test_together_the_same_batch_with_the_same_draws(monkeypatch, count, accumulate):
    whole = taken(monkeypatch, 1, 1, Numbers())
    assert taken(monkeypatch, count, accumulate, Numbers()) == whole
    assert len({draw for _, draw in whole}) == 4


def test_a_batch_is_of_one_bucket(monkeypatch):
    data = Numbers()
    data.bucket_of = np.array([0, 1, 2] * 4 + [0], np.int8)
    seen = set()
    for step in range(6):
        batch = [index for index, _ in taken(monkeypatch, 2, 2, data, step)]
        (bucket,) = {int(data.bucket_of[index]) for index in batch}
        seen.add(bucket)
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("buckets", [[1.0], [2.0, 0.5], [0.0], [0.5, 0.5]])
def test_buckets_that_do_not_ascend_below_the_crop_are_refused(buckets):
    with pytest.raises(UserError, match="must ascend"):
        settings(length_buckets=buckets)


def test_no_buckets_leave_the_identity_as_it_was():
    assert "length_buckets" not in settings().identity()
    assert settings(length_buckets=[0.5]).identity()["length_buckets"] == [0.5]
