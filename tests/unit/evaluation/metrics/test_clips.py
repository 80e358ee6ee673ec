"""Statistics of resampled clips equal the plain metrics on the rows of those clips put together."""

import numpy as np
import pytest

from evaluation.metrics import kernel
from evaluation.metrics.bootstrap import bootstrap_statistic
from evaluation.metrics.clips import ClipRows, FixedRows, frechet_of_clips, kernel_of_clips
from evaluation.metrics.frechet import frechet_distance_from_rows
from evaluation.metrics.kernel import kernel_audio_distance, median_distance

NUM_CLIPS = 12
DRAWS = [np.arange(NUM_CLIPS), *np.random.default_rng(1).integers(NUM_CLIPS, size=(4, NUM_CLIPS))]


def clip_rows(width: int, most_rows: int, seed: int, scale: float = 1.0) -> ClipRows:
    """Clips of 1 to ``most_rows`` rows, not in order, far from the origin."""
    random = np.random.default_rng(seed)
    clip = random.permutation(np.repeat(np.arange(NUM_CLIPS), random.integers(1, most_rows + 1, NUM_CLIPS)))
    return ClipRows(50 + scale * random.normal(size=(len(clip), width)), clip)


def gathered(rows: ClipRows, clips: np.ndarray) -> np.ndarray:
    return np.concatenate([rows.rows[rows.clip == clip] for clip in clips])


@pytest.mark.parametrize(
    ("width", "most_rows"), [(3, 5), (200, 2), (200, 1)], ids=["moments", "products", "one row a clip"]
)
@pytest.mark.parametrize("clips", DRAWS, ids=lambda clips: str(len(set(clips))))
class TestEqualsThePlainMetric:
    def test_frechet(self, width, most_rows, clips):
        x, y = clip_rows(width, most_rows, 0), clip_rows(width, most_rows, 1, 1.5)
        expected = frechet_distance_from_rows(gathered(x, clips), gathered(y, clips))
        assert frechet_of_clips(x, y)(clips) == pytest.approx(expected, rel=1e-9)

    def test_frechet_with_fixed_reference(self, width, most_rows, clips):
        x, y = clip_rows(width, most_rows, 0), clip_rows(width, most_rows, 1, 1.5).rows
        expected = frechet_distance_from_rows(gathered(x, clips), y)
        assert frechet_of_clips(x, FixedRows(y))(clips) == pytest.approx(expected, rel=1e-9)

    def test_kernel_in_many_tiles(self, width, most_rows, clips, monkeypatch):
        monkeypatch.setattr(kernel, "_TILE", 5)
        self.test_kernel(width, most_rows, clips)

    def test_kernel(self, width, most_rows, clips):
        x, y = clip_rows(width, most_rows, 0), clip_rows(width, most_rows, 1, 1.5)
        bandwidth = median_distance(y.rows)
        expected = kernel_audio_distance(gathered(x, clips), gathered(y, clips), bandwidth)
        assert kernel_of_clips(x, y)(clips) == pytest.approx(expected, rel=1e-9)

    def test_kernel_with_fixed_reference(self, width, most_rows, clips):
        x, y = clip_rows(width, most_rows, 0), clip_rows(width, most_rows, 1, 1.5).rows
        expected = kernel_audio_distance(gathered(x, clips), y, median_distance(y))
        assert kernel_of_clips(x, FixedRows(y))(clips) == pytest.approx(expected, rel=1e-9)


def test_rows_of_one_clip_are_no_clips():
    """Ten equal rows a clip: the interval is that of one row a clip; drawing rows would shrink it."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 2)), 0.5 + random.normal(size=(40, 2))
    few = frechet_of_clips(ClipRows(x, np.arange(40)), FixedRows(y))
    clip = np.repeat(np.arange(40), 10)
    many = frechet_of_clips(ClipRows(np.repeat(x, 10, 0), clip), FixedRows(y))
    wrong = frechet_of_clips(ClipRows(np.repeat(x, 10, 0), np.arange(400)), FixedRows(y))
    width, same, too_narrow = (
        np.diff(bootstrap_statistic(f, n, 100))[0] for f, n in ((few, 40), (many, 40), (wrong, 400))
    )
    assert same == pytest.approx(width, rel=0.05)
    assert too_narrow < 0.5 * width


class TestMistakes:
    def test_clip_numbers_that_do_not_fit(self):
        with pytest.raises(ValueError, match=r"\(4,\) do not fit 5 rows"):
            ClipRows(np.ones((5, 2)), np.arange(4))

    def test_clip_without_rows(self):
        with pytest.raises(ValueError, match="Clip 1 has no row"):
            ClipRows(np.ones((3, 2)), np.array([0, 2, 2]))

    def test_clip_that_is_not_there(self):
        rows = ClipRows(np.eye(3), np.arange(3))
        with pytest.raises(ValueError, match="no clip 3, only 3 clips"):
            frechet_of_clips(rows, rows)(np.array([0, 1, 3]))

    @pytest.mark.parametrize("prepare", [frechet_of_clips, kernel_of_clips])
    def test_other_widths(self, prepare):
        with pytest.raises(ValueError, match="3 and of 4 columns"):
            prepare(ClipRows(np.eye(3), np.arange(3)), FixedRows(np.eye(4)))
