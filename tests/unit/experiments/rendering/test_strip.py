"""The picture and the sounds that a README shows of a model."""

import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from experiments.__main__ import main

CAPTIONS = [
    "A dog barks",
    "rain on $5 & $6 <b>tins</b>",
    "a bell, far away, tolls three times and then fades",
]


class Model:
    """Makes noise, and keeps what it was asked for."""

    asked: tuple[object, ...]

    def __call__(self, captions: list[str], duration: float, seed: int, **words: object) -> SimpleNamespace:
        self.asked = (captions, duration, seed, words)
        draws = np.random.default_rng(0)
        sounds = draws.uniform(-1.2, 1.2, (len(captions), round(16000 * duration))).astype(np.float32)
        return SimpleNamespace(waveforms=sounds)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    made = Model()
    monkeypatch.setattr("audiolcm.pipeline.AudioLCM.from_checkpoint", lambda path: made)
    return made


def test_picture_and_sounds_are_small_and_of_the_captions(tmp_path: Path, model: Model) -> None:
    words = [*CAPTIONS, "birds", "a train"]
    assert main(["strip", "here", *words, "--out", str(tmp_path / "new/images"), "--steps", "2"]) == 0
    assert model.asked == (words, 2.56, 0, {"steps": 2, "omega": None})
    picture = (tmp_path / "new/images/strip.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 4 * height and len(picture) < 200_000
    sounds = sorted((tmp_path / "new/images").glob("*.ogg"))
    names = [
        "a-bell-far-away-tolls-three-times-and-then-fades",
        "a-dog-barks",
        "a-train",
        "birds",
        "rain-on-5-6-b-tins-b",
    ]
    assert [path.stem for path in sounds] == names
    assert sum(path.stat().st_size for path in sounds) < 300_000
    for path in sounds:
        assert soundfile.info(path).duration == pytest.approx(2.56)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a dog!", "A dog."], "Two captions would be the same file, a-dog.ogg"),
        ([f"sound {number}" for number in range(9)], "at most; 9 were given"),
        (["a dog", "--duration", "90"], "duration"),
    ],
)
def test_what_cannot_be_made_is_one_message_and_writes_nothing(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["strip", "nowhere", *words, "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()
