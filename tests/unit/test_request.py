"""What people and programs pass: NumPy's numbers are numbers, booleans and texts are none."""

import numpy as np
import pytest
import torch

from audiolcm.errors import UserError
from audiolcm.request import read_request, sampler_settings


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (3, [3, 3]), (np.int64(3), [3, 3]), (np.uint8(3), [3, 3]), (np.array(3), [3, 3]), (np.arange(2), [0, 1]),
        ([np.int32(4), 5], [4, 5]), (range(2), [0, 1]), (torch.tensor(3), [3, 3]),
    ],
)  # fmt: skip
def test_seeds(seed: object, expected: list[int]) -> None:
    seeds = read_request(["a", "b"], 5.0, seed, None).seeds
    assert seeds == expected
    assert {type(one) for one in seeds} == {int}


@pytest.mark.parametrize(
    "seed", [True, np.bool_(True), 1.0, "3", None, [1, False], np.array([1.0, 2.0]), {1: 2}]
)
def test_what_is_no_seed(seed: object) -> None:
    with pytest.raises(UserError, match="seed=.* must be a whole number"):
        read_request(["a", "b"], 5.0, seed, None)


@pytest.mark.parametrize("seed", [-1, np.int64(-1), 2**63, 10**400])
def test_seeds_out_of_range(seed: object) -> None:
    with pytest.raises(UserError, match="seed=.* is out of range"):
        read_request("a", 5.0, seed, None)


@pytest.mark.parametrize("duration", [2, np.float32(2.0), np.int16(2), torch.tensor(2.0)])
def test_durations(duration: object) -> None:
    request = read_request("a", duration, 0, None)
    assert request.duration == 2.0
    assert type(request.duration) is float


@pytest.mark.parametrize("duration", [True, "2", None, [2.0], float("nan"), np.inf])
def test_what_is_no_duration(duration: object) -> None:
    with pytest.raises(UserError, match="duration="):
        read_request("a", duration, 0, None)


def test_steps_and_omega_are_settings_of_a_sampler() -> None:
    assert sampler_settings() == {}
    assert sampler_settings(np.int64(4), np.float32(1.5)) == {"num_steps": 4, "omega": 1.5}
    assert sampler_settings(omega=0) == {"omega": 0.0}


@pytest.mark.parametrize(
    ("steps", "omega", "words"),
    [
        (0, None, "steps=0 must be 1 or more"), (2.0, None, "steps=2.0 must be a whole number"),
        (True, None, "steps=True"), ("2", None, "steps='2'"), (None, "4", "omega='4' must be a number"),
        (None, float("nan"), "omega=nan"), (None, 1e39, "omega=1e.39"), (None, -np.inf, "omega=-inf"),
        (10**10, None, "steps=1"), (None, False, "omega=False"), (None, [4], "omega="),
    ],
)  # fmt: skip
def test_bad_steps_and_omega(steps: object, omega: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        sampler_settings(steps, omega)
