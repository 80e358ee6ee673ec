"""What cannot be scored is refused before a network is fetched or trained, or a sound is made."""

from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from audiolcm.audio.io import write_wav
from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.schema import to_plain
from audiolcm.errors import UserError
from audiolcm.weights import files
from audiolcm.weights.artifacts import Artifact
from evaluation import evaluation
from evaluation.evaluation import Evaluation
from evaluation.run import SECTIONS, checked
from evaluation.systems import model, system

CONF = Path(__file__).resolve().parents[3] / "conf"
SMALL = [
    "dataset.num_train=8", "dataset.num_validation=2", "dataset.num_test=12", "dataset.duration=2.0",
    "dataset.max_duration=3.0", "dataset.labels=[dog,bell]", "logger=jsonl", "num_resamples=0",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of everything that the tests share, such as the prepared data."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "empty").mkdir()
    for name, seconds in (
        ("other.wav", 2.0),
        *((f"foley_test_{number:06d}.wav", 1.0) for number in range(12)),
    ):
        to = "odd" if name == "other.wav" else "short"
        write_wav(folder / to / name, np.full(round(16000 * seconds), 0.1, np.float32))
    return folder


@pytest.fixture(autouse=True)
def nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*_: object, **__: object) -> NoReturn:
        raise AssertionError("something was trained, fetched or generated")

    monkeypatch.setattr(evaluation, "embedded_extractor", made)
    monkeypatch.setattr(files, "_download", made)
    monkeypatch.setattr(system, "write_wav", made)


def evaluated(place: Path, *overrides: str) -> None:
    GlobalHydra.instance().clear()
    register_resolvers()
    paths = [f"paths.{name}={place / name}" for name in ("artifacts", "cache", "runs")]
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        plain = checked(to_plain(compose("evaluate", [*SMALL, *paths, *overrides]), SECTIONS))
    Evaluation(plain).record(place)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["system=folder", "path={place}/empty"], "holds no sound file"),
        (["system=make_an_audio2", "sampler.omega=9"], "sampler.omega=9 .* type system.omega=9"),
        (["system=tango", "sampler.num_steps=4"], "sampler.num_steps=4 .* type system.num_steps=4"),
        (["system=folder", "path={place}/odd"], "1 files for 12 captions"),
        (["system=folder", "path={place}/short"], "12 last 1.00 to 1.00 s instead of 2 s"),
        (["system=silence", "num_clips=5", "metrics=is_embedded"], "IS needs a sound or more in each of its 10"),
        (["system=silence", "num_clips=5", "metrics=is_panns"], "IS needs a sound or more in each of its 10"),
        (["system=silence", "metrics=fad_embedded"], "12 generated sounds give 24 rows of 64 features"),
        (["system=silence", "metrics=fad_vggish", "features.vggish.weights=nowhere.pth"], "no file nowhere.pth"),
        (
            ["system=silence", "metrics=[is_panns,fad_vggish]", "features.vggish.weights=nowhere.pth"],
            "no file nowhere.pth",  # not: fetch the other one first
        ),
        (["system=silence", "metrics=is_panns", "metrics.is_panns.extractor=pans"], "features.pans is not config"),
        (["system=silence", "metrics=hit_rate", "metrics.hit_rate.extractor=vggish"], "needs extractor: embedded"),
        (["system=silence", "metrics=is_embedded", "trainer.evaluator.batch_size=0"], "batch_size=0 is out of range"),
        (["system=silence", "paths.cache=/proc/none"], "/proc/none .*paths.cache=FOLDER"),
        (["system=silence", "metrics=is_embedded", "paths.artifacts=/proc/none"], "paths.artifacts=FOLDER"),
        (["system=audiolcm"], "no finished student"),
        (["system=audiolcm", "system.batch_size=0"], "system.batch_size=0 is out of range"),
        (["dataset=foley", "protocol=clotho_eval", "system=silence"], "defined on dataset=clotho, not on foley"),
    ],
)  # fmt: skip
def test_it_is_refused_before_anything_is_made(place: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        evaluated(place, *(word.replace("{place}", str(place)) for word in overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sampler.num_steps=0"], "num_steps=0 is out of range: 1 to"),
        (["sampler.num_steps=51"], "num_steps=51 is out of range: 1 to 50"),
        (["sampler.interval=[200,700]"], "Unknown setting sampler.interval. ConsistencySampler knows"),
        (["sampler.omega=inf"], "omega=inf is out of range"),
        (["protocol.seconds=31"], "duration=31 s is out of range"),
    ],
)
def test_what_a_model_cannot_do_is_refused_too(
    place: Path, overrides: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = {
        "_target_": "audiolcm.diffusion.sampler.ConsistencySampler",
        "num_steps": 2,
        "omega": 4.0,
        "k": 20,
    }
    schedule = {"_target_": "audiolcm.diffusion.schedule.ScaledLinearSchedule"}
    student = Artifact(place, {"stage": "student", "name": "mine", "format_version": 1})
    monkeypatch.setattr(model, "_find", lambda *_: student)
    monkeypatch.setattr(model, "vocoder_of", lambda *_: student)
    monkeypatch.setattr(model, "load_yaml", lambda _: {"sampler": sampler, "schedule": schedule})
    with pytest.raises(UserError, match=message):
        evaluated(place, "metrics=is_embedded", *overrides)
