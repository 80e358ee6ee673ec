"""The deviation from frame to frame, from files to a score."""

from pathlib import Path

import numpy as np
import pytest

from audiolcm.audio.io import write_wav
from audiolcm.data.manifest import Clip
from audiolcm.errors import UserError
from evaluation.features.patches import Patches
from evaluation.features.store import FeatureStore
from evaluation.features.texture import Texture, frame_deviation
from evaluation.measures.deviation import FrameDeviation
from evaluation.protocol import ProtocolItem
from evaluation.sound import SoundReader
from evaluation.trial import Extractors, Trial

RATE = 16_000


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Two clips of noise; the sounds are the first of them, and a tone for the second."""
    noises = 0.1 * np.random.default_rng(0).standard_normal((2, 2 * RATE)).astype(np.float32)
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE).astype(np.float32) + 0.1 * noises[0]
    for name, wave in (("0", noises[0]), ("1", noises[1]), ("tone", tone)):
        write_wav(tmp_path / f"{name}.wav", wave)
    items = [
        ProtocolItem(f"{n}__0", Clip(str(n), None, "noise", "", 2.0, "test", ()), tmp_path / f"{n}.wav")
        for n in (0, 1)
    ]
    sounds = (tmp_path / "0.wav", tmp_path / "tone.wav")
    return Trial(
        tuple(items), (sounds,), tuple(item.reference for item in items), SoundReader(), longest=(2.0, 2.0)
    )


def extractors(folder: Path, extractor: type) -> Extractors:
    return Extractors({}, FeatureStore(folder / "cache"), extractor)


def test_it_is_the_mean_distance_of_logarithms(trial: Trial, tmp_path: Path) -> None:
    score = FrameDeviation("embedded", 50, 0).score("frame_deviation", trial, extractors(tmp_path, Texture))
    reader = SoundReader()
    tone, noise = (frame_deviation(reader.read(tmp_path / f"{n}.wav", RATE))[0] for n in ("tone", "1"))
    expected = np.log((tone + 0.01) / (noise + 0.01))
    assert expected < -0.02
    assert score.per_clip == {"0__0": 0.0, "1__0": pytest.approx(-expected, rel=1e-5)}
    assert score.value == pytest.approx(-expected / 2, rel=1e-5)
    assert score.details["signed"] == pytest.approx([expected / 2], rel=1e-5)
    assert (score.title, score.better, score.num_reference) == ("Frame deviation (texture)", "lower", 2)
    assert score.interval is not None and score.interval[0] >= 0


def test_another_extractor_is_told_before_there_are_sounds(trial: Trial, tmp_path: Path) -> None:
    other = extractors(tmp_path, Patches)
    other.load(["embedded"])
    with pytest.raises(UserError, match=r"metrics.frame_deviation.extractor=embedded.* needs deviation"):
        FrameDeviation("embedded", 0, 0).foresee("frame_deviation", trial, other)
