"""KAD against sums written out, the closed form for Gaussians and kadtk's way of computing it in torch."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from audiolcm.errors import UserError
from evaluation.metrics import kernel
from evaluation.metrics.kernel import kernel_audio_distance, median_distance, reference_bandwidth


def sets(num: int = 60, num_reference: int = 50, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return 0.4 + 1.2 * random.normal(size=(num, width)), random.normal(size=(num_reference, width))


def as_kadtk(generated: np.ndarray, reference: np.ndarray, bandwidth: str = "reference") -> float:
    """The formula of kadtk, with torch's median and distances, in float64; its command takes the evaluated set's."""
    x, y = torch.from_numpy(reference), torch.from_numpy(generated)
    gamma = 1 / (2 * torch.pdist(x if bandwidth == "reference" else y).median() ** 2 + 1e-8)
    kernels = [torch.exp(-gamma * torch.cdist(*sides) ** 2) for sides in ((x, x), (y, y), (x, y))]
    means = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in kernels[:2]]
    return float(100 * (means[0] + means[1] - 2 * kernels[2].mean()))


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(kernel, "_TILE", 7)


class TestDistance:
    def test_written_out(self):
        """Two against two rows on a line: distances 2, 1 and across 0, 1, 2, 1; h = 1."""
        generated, reference = np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]])
        k = lambda distance: np.exp(-(distance**2) / 2)  # noqa: E731
        expected = 100 * (k(2) + k(1) - 2 * (k(0) + k(1) + k(2) + k(1)) / 4)
        assert kernel_audio_distance(generated, reference) == pytest.approx(expected, rel=1e-7)

    def test_against_kadtk(self):
        generated, reference = sets()
        expected = as_kadtk(generated, reference)
        assert kernel_audio_distance(generated, reference) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.usefixtures("small_tiles")
    def test_against_kadtk_in_many_tiles(self):
        generated, reference = sets()
        expected = as_kadtk(generated, reference)
        assert kernel_audio_distance(generated, reference) == pytest.approx(expected, rel=1e-6)

    def test_closed_form_of_two_gaussians(self):
        """For x, y ~ N(m, 1) in d axes, E k(x, y) = (h^2 / (h^2 + 2))^(d/2) exp(-|shift|^2 / (2 h^2 + 4))."""
        random = np.random.default_rng(0)
        x, y = random.normal(size=(2500, 3)) + 2.0, random.normal(size=(2500, 3))
        expected = 100 * (4 / 6) ** 1.5 * (2 - 2 * np.exp(-3 * 2.0**2 / 12))
        assert kernel_audio_distance(x, y, bandwidth=2.0) == pytest.approx(expected, rel=0.04)

    def test_unbiased(self):
        """Both sets from one distribution: the mean over many small sets is 0, so some are negative."""
        random = np.random.default_rng(0)
        values = [
            kernel_audio_distance(random.normal(size=(8, 4)), random.normal(size=(8, 4)), 2.0)
            for _ in range(400)
        ]
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(400)
        assert min(values) < 0

    def test_bandwidth_is_the_references(self):
        generated, reference = sets()
        assert kernel_audio_distance(generated, reference) == kernel_audio_distance(
            generated, reference, median_distance(reference)
        )
        assert kernel_audio_distance(generated, reference) != pytest.approx(
            kernel_audio_distance(reference, generated), rel=1e-3
        )

    def test_as_the_command_of_kadtk(self):
        """It names the evaluated set second, whose median distance its function takes."""
        generated, reference = sets()
        evaluated = kernel_audio_distance(generated, reference, median_distance(generated))
        assert evaluated == pytest.approx(as_kadtk(generated, reference, "evaluated"), rel=1e-6)
        assert evaluated != pytest.approx(kernel_audio_distance(generated, reference), rel=0.02)

    def test_silence_against_sounds(self):
        """All evaluated rows are equal: h = 0, and only equal rows are alike."""
        generated, reference = np.ones((5, 3)), np.random.default_rng(0).normal(size=(6, 3))
        expected = 100 * (1 + 0 - 2 * 0)
        assert kernel_audio_distance(generated, reference, median_distance(generated)) == pytest.approx(
            expected
        )

    def test_far_from_the_origin(self):
        generated, reference = sets()
        moved = kernel_audio_distance(generated + 1e5, reference + 1e5)
        assert moved == pytest.approx(kernel_audio_distance(generated, reference), rel=1e-5)


class TestMedian:
    @pytest.mark.parametrize("num_rows", [2, 3, 4, 5, 20, 21])
    @pytest.mark.usefixtures("small_tiles")
    def test_is_the_lower_median_of_torch(self, num_rows):
        rows = np.random.default_rng(num_rows).normal(size=(num_rows, 3)) * 10.0 ** (num_rows % 5 - 2)
        expected = float(torch.pdist(torch.from_numpy(rows)).median())
        assert median_distance(rows) == pytest.approx(expected, rel=1e-7)

    def test_nearly_equal_distances(self):
        """All upper halves of the bits agree."""
        rows = np.eye(30) * (1 + 1e-5 * np.random.default_rng(0).normal(size=30))
        assert median_distance(rows) == pytest.approx(np.sort(pdist(rows))[217], rel=1e-7)

    def test_some_equal_rows(self):
        rows = np.repeat(np.random.default_rng(0).normal(size=(6, 4)), 3, axis=0)
        expected = float(torch.pdist(torch.from_numpy(rows)).median())
        assert median_distance(rows) == pytest.approx(expected, rel=1e-7)

    @pytest.mark.parametrize("offset", [0.0, 0.1, 1e4])
    def test_mostly_equal_rows(self, offset):
        rows = np.zeros((10, 3)) + offset
        rows[0] += 1.0
        assert median_distance(rows) == median_distance(rows[1:]) == 0
        with pytest.raises(UserError, match="half of all pairs"):
            reference_bandwidth(rows)
        with pytest.raises(UserError, match="half of all pairs"):
            kernel_audio_distance(np.eye(3), rows[1:])


class TestBadInput:
    def test_one_row(self):
        with pytest.raises(UserError, match="2 rows of features of the generated sounds or more"):
            kernel_audio_distance(np.ones((1, 3)), np.eye(3))
        with pytest.raises(UserError, match="2 rows of features of the reference sounds or more"):
            kernel_audio_distance(np.eye(3), np.ones((1, 3)))

    def test_other_widths(self):
        with pytest.raises(ValueError, match="3 and of 4 columns"):
            kernel_audio_distance(np.eye(3), np.eye(4))

    def test_infinity(self):
        with pytest.raises(UserError, match="hold NaN or infinity"):
            kernel_audio_distance(np.full((3, 3), np.inf), np.eye(3))
