import numpy as np
import pytest

from audiolcm.errors import UserError
from evaluation.features.joint import Crop, repeat_and_cut, repeat_and_pad

SOUND = np.arange(100, dtype=np.float32)


@pytest.mark.parametrize(
    ("length", "expected"), [(3, [1, 2, 3]), (5, [1, 2, 3, 0, 0]), (7, [1, 2, 3, 1, 2, 3, 0])]
)
def test_sound_is_repeated_whole_then_padded(length: int, expected: list[float]) -> None:
    padded = repeat_and_pad(np.array([1, 2, 3], np.float32), length)
    assert padded.tolist() == expected and padded.dtype == np.float32


@pytest.mark.parametrize(
    ("length", "expected"), [(3, [1, 2, 3]), (5, [1, 2, 3, 1, 2]), (7, [1, 2, 3, 1, 2, 3, 1])]
)
def test_sound_is_repeated_and_cut(length: int, expected: list[float]) -> None:
    assert repeat_and_cut(np.array([1, 2, 3], np.float32), length).tolist() == expected


@pytest.mark.parametrize("kind", ["center", "start", "random"])
@pytest.mark.parametrize("length", [100, 101])
def test_sound_that_is_not_longer_stays_as_it_is(kind: str, length: int) -> None:
    assert Crop(kind)(SOUND, length) is SOUND


def test_center_and_start() -> None:
    assert Crop("start")(SOUND, 10).tolist() == list(range(10))
    assert Crop("center")(SOUND, 10).tolist() == list(range(45, 55))
    assert Crop("center")(SOUND, 11).tolist() == list(range(44, 55))


def test_random_part_hangs_on_seed_and_sound_alone() -> None:
    first = Crop("random", seed=3)(SOUND, 10)
    Crop("random", seed=3)(SOUND + 1, 10)
    assert np.array_equal(Crop("random", seed=3)(SOUND, 10), first)
    assert len({float(Crop("random", seed)(SOUND, 10)[0]) for seed in range(20)}) > 5
    assert len({float(Crop("random")(SOUND + i, 10)[0] - i) for i in range(20)}) > 5


def test_random_parts_reach_both_ends() -> None:
    starts = {int(Crop("random", seed)(SOUND[:5], 3)[0]) for seed in range(40)}
    assert starts == {0, 1, 2}


def test_unknown_crop_is_refused() -> None:
    with pytest.raises(UserError, match="no crop 'middle'. Choose from: center, start, random"):
        Crop("middle")


def test_words_for_names() -> None:
    assert [str(Crop("center")), str(Crop("random", 7))] == ["center", "random-seed7"]
