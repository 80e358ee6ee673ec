"""How each metric of a published protocol hears: its reader against a transcription of what the originals do.

Each transcription is written from the facts: audioldm_eval at January 2023, before June 2023 and since, its copies in
the repositories of Tango and ConsistencyTTA, frechet_audio_distance 0.3.4.
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import resampy
import soundfile
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from packages import needs_package

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.schema import to_plain
from audiolcm.errors import UserError
from evaluation.evaluation import Evaluation
from evaluation.protocol import TestSet
from evaluation.run import SECTIONS, checked
from evaluation.sound import SoundReader
from evaluation.trial import Trial

needs_package("torchaudio")
import torchaudio  # noqa: E402

CONF = Path(__file__).resolve().parents[2] / "conf"
RATE = 16000
Heard = Callable[[Path], np.ndarray]


def kaiser(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    return samples if rate == wanted else resampy.resample(samples, rate, wanted, filter="kaiser_best")


def sinc(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    return torchaudio.functional.resample(torch.from_numpy(samples), rate, wanted).numpy()


def two_seconds(samples: np.ndarray) -> np.ndarray:
    return np.pad(samples, (0, max(0, 32000 - len(samples))))


def integers(path: Path) -> tuple[np.ndarray, int]:
    """Samples as 16-bit integers over 32768, and the mean of the channels."""
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return (samples / 32768).mean(1), rate


def first_centered(path: Path) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples[:, 0] - samples[:, 0].mean(), rate


def frechet_audio_distance(path: Path, wanted: int) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return kaiser(samples.mean(1), rate, wanted)


def frechet_at_16k(path: Path) -> np.ndarray:
    return frechet_audio_distance(path, RATE)


def frechet_at_48k(path: Path) -> np.ndarray:
    return frechet_audio_distance(path, 48000)


def fad_before_june_2023(path: Path) -> np.ndarray:
    samples, rate = integers(path)
    return samples[::2] if rate == 32000 else kaiser(samples, rate, RATE)


def panns_of_january_2023(path: Path) -> np.ndarray:
    samples, rate = first_centered(path)
    return sinc(samples, rate, RATE)


def panns_of_tango(path: Path) -> np.ndarray:
    return two_seconds(panns_of_january_2023(path))


def since_june_2023(path: Path, wanted: int = RATE) -> np.ndarray:
    samples, rate = first_centered(path)
    heard = sinc(samples, rate, wanted)
    return np.pad(heard, (0, max(0, 2 * wanted - len(heard))))


def msclap(path: Path) -> np.ndarray:
    return since_june_2023(path, 44100)


def laion_music(path: Path) -> np.ndarray:
    return since_june_2023(path, 48000)


def fad_of_consistencytta(path: Path) -> np.ndarray:
    samples, rate = integers(path)
    heard = samples[:: rate // RATE] if rate % RATE == 0 else kaiser(samples, rate, RATE)
    return heard[: 10 * RATE]


def panns_of_consistencytta(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, always_2d=True)
    mono = samples.mean(1)
    heard = mono[:: rate // RATE] if rate % RATE == 0 else kaiser(mono, rate, RATE)
    return two_seconds((heard - heard.mean())[: 10 * RATE])


def clap_of_consistencytta(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, always_2d=True)
    heard = kaiser(kaiser(samples.mean(1), rate, RATE), RATE, 48000)
    heard = heard - heard.mean()
    heard = heard / np.abs(heard).max() / 2
    heard = np.pad(heard[:480000], (0, max(0, 480000 - len(heard))))
    return heard / np.abs(heard).max() / 2


JUNE = dict.fromkeys(("fad_vggish", "fd_panns", "kl_panns", "is_panns"), since_june_2023)
PANNS = ("fd_panns", "kl_panns", "is_panns")
TANGO_CLAP = {"clap_630k_audioset_best": frechet_at_48k}
# Of every metric that a protocol names, what it hears of a file.
HEARD: dict[str, dict[str, Heard]] = {
    "audiolcm_900x5": JUNE | {"clap_msclap": msclap},
    "clotho_eval": JUNE | {"clap_msclap": msclap},
    "musiccaps_5405": {k: JUNE[k] for k in ("fad_vggish", "kl_panns")} | {"clap_music_audioset": laion_music},
    "musiccaps_5521": {k: JUNE[k] for k in ("fad_vggish", "kl_panns")} | {"clap_music_audioset": laion_music},
    "audioldm_964": {
        "fad_vggish": fad_before_june_2023,
        **dict.fromkeys((*PANNS, "kl_panns_sigmoid"), panns_of_january_2023),
    },
    "tango_886": {
        "fad_vggish": fad_before_june_2023, **dict.fromkeys(PANNS, panns_of_tango), **TANGO_CLAP,
    },
    "consistencytta_882": {
        "fad_vggish": fad_of_consistencytta,
        **dict.fromkeys(("fd_panns", "kl_panns"), panns_of_consistencytta),
        "clap_consistencytta": clap_of_consistencytta,
    },
    "stable_audio_4875": {**dict.fromkeys(("fad_vggish", *PANNS), frechet_at_16k), **TANGO_CLAP},
}  # fmt: skip
RATES = {"clap_msclap": 44100, **dict.fromkeys(("clap_630k_audioset_best", "clap_music_audioset"), 48000)}
RATES |= {"clap_consistencytta": 48000}


def sound(seconds: float, rate: int, channels: int = 2) -> np.ndarray:
    """Noise whose channels differ, with a constant part that differs too."""
    noise = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), channels))
    return noise + [0.2, -0.05][:channels]


SOUNDS = {
    "stereo_48k": (1.5, 48000, 2, "PCM_16"), "stereo_32k": (2.5, 32000, 2, "PCM_16"),
    "stereo_44k": (2.5, 44100, 2, "PCM_16"), "mono_16k": (2.5, 16000, 1, "PCM_16"),
    "short": (1.0, 16000, 1, "PCM_16"), "long": (10.3, 16000, 1, "PCM_16"), "24_bits": (2.2, 48000, 2, "PCM_24"),
}  # fmt: skip


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("sounds")
    for name, (seconds, rate, channels, subtype) in SOUNDS.items():
        soundfile.write(folder / f"{name}.wav", sound(seconds, rate, channels), rate, subtype=subtype)
    yield {name: folder / f"{name}.wav" for name in SOUNDS}
    shutil.rmtree(folder)


def evaluation_of(tmp_path: Path, *words: str) -> Evaluation:
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose(
            "evaluate", ["system=white_noise", f"paths.cache={tmp_path}", "hardware=cpu_float32", *words]
        )
    return Evaluation(checked(to_plain(cfg, SECTIONS)))


def readers_of(evaluation: Evaluation) -> dict[str, SoundReader]:
    """The reader that each metric is given where sounds are as long as the protocol makes them."""
    trial: Trial = evaluation._heard(TestSet((), evaluation.protocol.seconds or 0.0, "", ""))
    return {
        key: getattr(measure, "reader", None) or trial.reader_of(measure.extractor)
        for key, measure in evaluation.measures.items()
    }


def data_of(name: str) -> str:
    return {"clotho": "clotho", "musiccaps": "musiccaps"}.get(name.partition("_")[0], "audiocaps")


def test_every_published_protocol_has_its_transcriptions() -> None:
    published = {path.stem for path in (CONF / "protocol").glob("*.yaml") if "table:" in path.read_text()}
    assert published == HEARD.keys()


@pytest.mark.parametrize("name", HEARD)
def test_each_metric_hears_as_its_original(name: str, sounds: dict[str, Path], tmp_path: Path) -> None:
    readers = readers_of(evaluation_of(tmp_path, f"dataset={data_of(name)}", f"protocol={name}"))
    assert readers.keys() == HEARD[name].keys()
    is_cut = name in ("clotho_eval", "musiccaps_5405", "musiccaps_5521")  # after 10 s, which is ours
    for key, hears in HEARD[name].items():
        for what, path in sounds.items():
            if is_cut and what == "long":
                continue
            expected, found = hears(path), readers[key].read(path, RATES.get(key, RATE))
            assert found.shape == expected.shape, (key, what)
            np.testing.assert_allclose(found, expected, atol=2e-6, err_msg=f"{key} of {what}")


def test_frechet_and_divergence_hear_stereo_at_48_kilohertz_in_other_ways(
    sounds: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("audioldm_964", "tango_886", "consistencytta_882"):
        readers = readers_of(evaluation_of(tmp_path, "dataset=audiocaps", f"protocol={name}"))
        fad, kl = (readers[key].read(sounds["stereo_48k"], RATE) for key in ("fad_vggish", "kl_panns"))
        assert fad.mean() > 0.05 and abs(kl.mean()) < 1e-3
        assert readers["fad_vggish"].identity != readers["kl_panns"].identity == readers["fd_panns"].identity


def test_a_protocol_of_one_reader_hears_with_it_alone(tmp_path: Path) -> None:
    """What plugins and configurations of earlier versions say is still enough."""
    evaluation = evaluation_of(tmp_path, "dataset=foley", "metrics=[fad_vggish,kl_panns]")
    assert evaluation.protocol.readers is None
    one, other = readers_of(evaluation).values()
    assert one == other == dataclasses.replace(evaluation.protocol.reader)


def test_one_network_is_typed_and_a_wrong_name_refused(tmp_path: Path) -> None:
    words = ["dataset=audiocaps", "protocol=tango_886", "+protocol.readers.panns_16k.decimate=3"]
    readers = readers_of(evaluation_of(tmp_path, *words))
    assert readers["kl_panns"].decimate == 3 and readers["fad_vggish"].decimate == 2
    one = "{_target_:evaluation.sound.SoundReader}"
    with pytest.raises(UserError, match=r"protocol\.readers\.pans_16k is of no network.*panns_16k"):
        evaluation_of(tmp_path, "dataset=foley", f"+protocol.readers.pans_16k={one}")
    with pytest.raises(UserError, match=r"protocol\.readers\.panns_16k chooses no option"):
        evaluation_of(tmp_path, "dataset=foley", "+protocol.readers.panns_16k=3")
