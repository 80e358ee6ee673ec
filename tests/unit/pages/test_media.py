"""Pictures of sounds as files."""

from pathlib import Path

import numpy as np
import pytest

from audiolcm.errors import UserError
from audiolcm.pages.media import save_spectrogram


def test_spectrogram_is_a_picture(tmp_path: Path) -> None:
    from matplotlib.image import imread

    mel = np.full((80, 100), -5.0, np.float32)
    mel[40] = 0.5
    save_spectrogram(tmp_path / "mel.png", mel, "one band")
    picture = imread(tmp_path / "mel.png")
    assert picture.shape[1] > picture.shape[0] > 100
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 10
    with pytest.raises(UserError, match="shape"):
        save_spectrogram(tmp_path / "none.png", np.zeros((80, 0)), "empty")
