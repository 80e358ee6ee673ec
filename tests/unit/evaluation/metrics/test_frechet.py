"""The Frechet distance against closed forms, other formulas and the reference packages; its extrapolation."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from packages import needs_package

from audiolcm.errors import UserError
from evaluation.metrics.frechet import (
    Gaussian,
    fit_gaussian,
    frechet_distance,
    frechet_distance_from_rows,
    frechet_infinity,
    require_rows,
)


def check_vector() -> tuple[np.ndarray, np.ndarray]:
    """Rows whose distance the reference implementations give as 36.470539568."""
    random = np.random.RandomState(1)
    mixing = random.randn(128, 128) * np.exp(-np.arange(128) / 20)
    x = np.float32(random.randn(1000, 128) @ mixing)
    return x, np.float32(random.randn(800, 128) @ (1.1 * mixing) + 0.1)


def few_rows(width: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Fewer rows than features: singular covariances."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(width, width))
    return random.normal(size=(15, width)) @ mixing, 1 + 2 * random.normal(size=(22, width))


def by_general_roots(x: np.ndarray, y: np.ndarray, trace_of_root) -> float:
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    shift = np.mean(x, 0, np.float64) - np.mean(y, 0, np.float64)
    return shift @ shift + np.trace(first + second) - 2 * trace_of_root(first @ second)


class TestDistance:
    def test_check_vector(self):
        assert frechet_distance_from_rows(*check_vector()) == pytest.approx(36.470539568, rel=1e-6)

    def test_check_vector_of_fadtk(self):
        """It keeps float16 rows, whose means numpy rounds to float16 again."""
        sides = [fit_gaussian(rows.astype(np.float16)) for rows in check_vector()]
        rounded = [replace(side, mean=side.mean.astype(np.float16)) for side in sides]
        assert frechet_distance(*rounded) == pytest.approx(36.467746, rel=1e-6)

    @pytest.mark.parametrize(
        "trace_of_root",
        [
            lambda product: np.sqrt(np.linalg.eigvals(product).astype(complex)).real.sum(),
            lambda product: np.trace(scipy.linalg.sqrtm(product.astype(complex))).real,
            lambda product: np.trace(scipy.linalg.sqrtm(product)).real,
        ],
        ids=["eigvals", "complex_sqrtm", "real_sqrtm"],
    )
    def test_against_general_roots(self, trace_of_root):
        x, y = check_vector()
        expected = by_general_roots(x, y, trace_of_root)
        assert frechet_distance_from_rows(x, y) == pytest.approx(expected, rel=1e-9)

    def test_against_torch_fidelity(self):
        metric = pytest.importorskip("torch_fidelity.metric_fid")
        x, y = (rows.astype(np.float64) for rows in check_vector())
        sides = [{"mu": rows.mean(0), "sigma": np.cov(rows, rowvar=False)} for rows in (x, y)]
        theirs = metric.fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"]
        assert frechet_distance_from_rows(x, y) == pytest.approx(theirs, rel=1e-9)

    def test_against_frechet_audio_distance(self, tmp_path):
        """In a process of its own: its import reads tokenizers and changes the import path."""
        needs_package("frechet_audio_distance")
        x, y = check_vector()
        np.savez(tmp_path / "rows.npz", x=x, y=y)
        script = (
            "import sys, numpy as np\n"
            "from frechet_audio_distance import FrechetAudioDistance as F\n"
            "rows = np.load(sys.argv[1])\n"
            "sides = [F.calculate_embd_statistics(None, rows[name]) for name in 'xy']\n"
            "print(repr(float(F.calculate_frechet_distance(None, *sides[0], *sides[1]))))\n"
        )
        command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "rows.npz")]
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr[-2000:]
        theirs = float(finished.stdout.split()[-1])
        assert frechet_distance_from_rows(x, y) == pytest.approx(theirs, rel=1e-6)  # its means are float32

    def test_closed_form_of_two_gaussians(self):
        """Independent axes: |m1 - m2|^2 + sum (s1 - s2)^2."""
        mean, deviation = np.array([1.0, -2.0, 0.5]), np.array([0.5, 3.0, 1.0])
        a = Gaussian(np.zeros(3), np.eye(3), 10)
        b = Gaussian(mean, np.diag(deviation**2), 10)
        expected = (mean**2).sum() + ((1 - deviation) ** 2).sum()
        assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)
        assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-12)

    def test_one_feature(self):
        x, y = np.array([[1.0], [3.0]]), np.array([[0.0], [0.0], [6.0]])
        expected = 0.0 + (np.std(x, ddof=1) - np.std(y, ddof=1)) ** 2
        assert frechet_distance_from_rows(x, y) == pytest.approx(expected, rel=1e-12)

    def test_a_rotation_of_both_changes_nothing(self):
        x, y = check_vector()
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 128)))[0]
        rotated = frechet_distance_from_rows(x @ rotation, y @ rotation)
        assert rotated == pytest.approx(frechet_distance_from_rows(x, y), rel=1e-7)

    @pytest.mark.parametrize("num_rows", [20, 300], ids=["singular", "regular"])
    def test_of_a_set_with_itself(self, num_rows):
        x = np.random.default_rng(0).normal(size=(num_rows, 128))
        assert frechet_distance_from_rows(x, x) == pytest.approx(0.0, abs=1e-9)


class TestFewRows:
    def test_equals_the_form_with_covariances(self):
        x, y = few_rows()
        expected = frechet_distance(fit_gaussian(x), fit_gaussian(y))
        assert frechet_distance_from_rows(x, y) == pytest.approx(expected, rel=1e-6)
        assert frechet_distance_from_rows(y, x) == pytest.approx(expected, rel=1e-6)

    def test_one_side_only(self):
        x, _ = few_rows()
        y = np.random.default_rng(1).normal(size=(200, 40))
        expected = by_general_roots(x, y, lambda p: np.sqrt(np.linalg.eigvals(p).astype(complex)).real.sum())
        assert frechet_distance_from_rows(x, y) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("rows", [np.zeros((1, 4)), np.zeros((1, 1))])
    def test_one_row_is_too_few(self, rows):
        with pytest.raises(UserError, match="2 rows of features or more on each side, not 1"):
            frechet_distance_from_rows(rows, np.zeros((5, rows.shape[1])))
        with pytest.raises(UserError, match="not 1"):
            fit_gaussian(rows)

    def test_rank_deficient_features_are_refused(self):
        with pytest.raises(UserError) as error:
            require_rows(900, 2048, "FAD (PANNs): 900 generated sounds", "Pass metrics.allow_few=true.")
        assert str(error.value) == (
            "FAD (PANNs): 900 generated sounds give 900 rows of 2048 features, too few for a covariance: more than "
            "2048 are needed. Pass metrics.allow_few=true."
        )
        with pytest.raises(UserError):
            require_rows(128, 128, "x", "")
        require_rows(129, 128, "x", "")
        require_rows(900, 2048, "x", "", allow_few=True)


class TestBadInput:
    def test_other_widths(self):
        with pytest.raises(ValueError, match="3 and of 4 columns"):
            frechet_distance_from_rows(np.ones((9, 3)), np.ones((9, 4)))
        with pytest.raises(ValueError, match="3 and of 4 columns"):
            frechet_distance(*(Gaussian(np.zeros(n), np.eye(n), 9) for n in (3, 4)))

    def test_statistics_that_do_not_fit(self):
        with pytest.raises(ValueError, match="does not fit a mean of 3 features"):
            Gaussian(np.zeros(3), np.eye(4), 9)

    def test_damaged_statistics(self):
        with pytest.raises(UserError, match="covariance of features: 3 of 3 rows hold NaN"):
            Gaussian(np.zeros(3), np.full((3, 3), np.nan), 9)

    def test_nan_in_features(self):
        rows = np.ones((9, 3))
        rows[4] = np.nan
        with pytest.raises(UserError, match="the first is row 4"):
            frechet_distance_from_rows(np.ones((9, 3)), rows)


class TestInfinity:
    def test_is_the_line_of_fadtk(self):
        """Its loop over sizes, with the same drawn rows and its general matrix root."""
        random = np.random.default_rng(0)
        reference, rows = random.normal(size=(900, 8)), 1.3 * random.normal(size=(800, 8)) + 0.2
        result = frechet_infinity(rows, fit_gaussian(reference), seed=7)
        draws, expected = np.random.default_rng(7), []
        for n in [int(n) for n in np.linspace(500, 800, 25)]:
            drawn = rows[draws.integers(800, size=n)]
            roots = lambda product: np.trace(scipy.linalg.sqrtm(product)).real  # noqa: E731
            expected.append((n, by_general_roots(reference, drawn, roots)))
        sizes, distances = np.array(expected).T
        np.testing.assert_allclose(result.points, expected, rtol=1e-9)
        slope, intercept = np.polyfit(1 / sizes, distances, 1)
        assert (result.value, result.slope) == pytest.approx((intercept, slope), rel=1e-6)
        correlation = np.corrcoef(1 / sizes, distances)[0, 1]
        assert result.r_squared == pytest.approx(correlation**2, rel=1e-6)

    def test_takes_away_the_bias_of_the_drawn_rows(self):
        """But not that of all rows: drawn with replacement, the line ends at their own distance, and the truth is 0."""
        rows = np.random.default_rng(0).normal(size=(3000, 32))
        reference = Gaussian(np.zeros(32), np.eye(32), 10**9)
        result = frechet_infinity(rows, reference, seed=0)
        plain = frechet_distance(fit_gaussian(rows), reference)
        assert result.points[0, 1] > 5 * plain
        assert result.value == pytest.approx(plain, rel=0.3)
        assert result.slope > 100 and result.r_squared > 0.9

    def test_seed_alone_decides(self):
        rows, reference = np.random.default_rng(0).normal(size=(60, 3)), Gaussian(np.ones(3), np.eye(3), 99)
        first, again, other = (frechet_infinity(rows, reference, seed, min_rows=20) for seed in (0, 0, 1))
        assert first.value == again.value != other.value

    def test_equal_rows(self):
        result = frechet_infinity(np.ones((30, 2)), Gaussian(np.zeros(2), np.eye(2), 99), 0, min_rows=20)
        assert result.value == pytest.approx(4.0) and result.slope == pytest.approx(0.0, abs=1e-9)

    @pytest.mark.parametrize("num_rows", [1, 499, 500])
    def test_too_few_rows(self, num_rows):
        with pytest.raises(UserError, match=f"more than 500 rows of features and got {num_rows}: generate"):
            frechet_infinity(np.ones((num_rows, 2)), Gaussian(np.zeros(2), np.eye(2), 9), seed=0)
