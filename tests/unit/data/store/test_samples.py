import numpy as np
import pytest

from audiolcm.data.store.samples import SILENCE_DB, sound_problem

TONE = np.sin(np.arange(16000) / 3).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 0.4])
@pytest.mark.parametrize("level", [-200.0, -90.0, SILENCE_DB - 1])
def test_sound_below_the_level_is_silent(level: float, offset: float) -> None:
    problem = sound_problem(np.float32(10 ** (level / 20)) * TONE + np.float32(offset))
    assert problem is not None and "silent: it stays below -60 dB" in problem
    assert ("but for a constant 0.4" in problem) == bool(offset)
    assert "in the 1 s that are read of it (no more than max_duration)" in problem  # it may begin later


@pytest.mark.parametrize("offset", [0.0, 0.4])
def test_sound_above_the_level_is_none(offset: float) -> None:
    quiet = np.float32(10 ** ((SILENCE_DB + 1) / 20)) * TONE
    assert sound_problem(quiet + np.float32(offset)) is None
    click = np.zeros(16000, np.float32)
    click[500] = 0.1
    assert sound_problem(click) is None
