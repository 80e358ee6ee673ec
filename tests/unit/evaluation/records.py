"""A plausible record with its sounds, for the tests of everything that is made from one."""

from pathlib import Path

import numpy as np

from audiolcm.audio.io import write_wav
from audiolcm.audio.mel import SAMPLE_RATE
from evaluation.record import Record, RecordRow, Score, ScoredClip, Timing

HOSTILE = (
    "A </script><script>alert(1)</script> <img src=x onerror=alert(2)> \"dog\" & 'cat' | 100% {of} $_^~#\\"
)
PROTOCOL = {"name": "replica", "title": "Replica, foley test split", "num_clips": 5, "is_subset": False}
VGGISH = {"name": "vggish", "identity": "0123456789", "weights": {"file": "vggish.pth", "sha256": "ab" * 32}}
JUDGE = {"name": "foley judge", "identity": "aaaaabbbbb"}


def make_record(folder: Path, num_clips: int = 5, seconds: float = 0.5) -> Record:
    """Write ``num_clips`` generated and reference sounds below the folder and return their record.

    The first caption is hostile. Clip 0 is the best by CLAP, the last one the worst; KL has no value for clip 1.
    """
    clips = tuple(_write_clip(folder, index, seconds) for index in range(num_clips))
    row = RecordRow(
        "AudioLCM",
        {"num_steps": 2, "omega": 4.0, "nfe": 2, "artifact": "student/tiny-0a1b2c"},
        _scores(clips),
    )
    sanity = tuple(
        RecordRow(name, {}, (_fad(fad), _clap({}, clap)))
        for name, fad, clap in (
            ("silence", 31.27, 0.021),
            ("white noise", 25.4, 0.013),
            ("reconstruction", 0.84, 0.41),
        )
    )
    provenance = {
        "command": "python evaluate.py dataset=foley",
        "hardware": {"device": "cpu", "name": "Two <cores>"},
        "precision": "float32",
        "date": "2025-01-02T03:04:05+00:00",
    }
    verdicts = ("CLAP (LAION) is no better than with shuffled captions.",)
    timings = tuple(_timing(size) for size in (1, 8))
    notes = ("3 files have several channels (a.wav, ...)",)
    return Record(row, PROTOCOL, clips, timings, sanity, verdicts, notes, provenance)


def _write_clip(folder: Path, index: int, seconds: float) -> ScoredClip:
    name = f"clip{index}__0"
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    for kind, pitch in (("generated", 440.0), ("reference", 660.0)):
        write_wav(folder / kind / f"{name}.wav", 0.3 * np.sin(2 * np.pi * (pitch + 40 * index) * time))
    caption = HOSTILE if index == 0 else f"Tone number {index}, a bell"
    return ScoredClip(name, caption, f"generated/{name}.wav", f"reference/{name}.wav")


def _fad(value: float, interval: tuple[float, float] | None = None) -> Score:
    notes = ("900 clips for 128 dimensions",) if interval else ()
    method = "bootstrap over clips, 1000 draws" if interval else ""
    return Score(
        "fad_vggish",
        "FAD (VGGish)",
        value,
        "lower",
        interval,
        method,
        (2.11, 2.154),
        5,
        5,
        VGGISH,
        notes=notes,
    )


def _clap(per_clip: dict[str, float], value: float) -> Score:
    return Score("clap_laion", "CLAP (LAION)", value, "higher", num_generated=5, per_clip=per_clip)


def _scores(clips: tuple[ScoredClip, ...]) -> tuple[Score, ...]:
    clap = {clip.name: 0.5 - 0.1 * index for index, clip in enumerate(clips)}
    kl = {clip.name: 1.0 + index % 3 for index, clip in enumerate(clips) if index != 1}
    mean = sum(clap.values()) / len(clap) if clap else 0.0
    return (
        _fad(2.1316, (1.93, 2.41)),
        Score(
            "kl_panns",
            "KL (PANNs)",
            1.3712,
            "lower",
            (1.31, 1.44),
            num_generated=5,
            num_reference=5,
            per_clip=kl,
        ),
        Score("is_panns", "IS (PANNs)", 8.8, "higher", num_generated=5, details={"std": 0.4}),
        _clap(clap, mean),
        Score(
            "clap_judge",
            "CLAP (foley judge)",
            0.612,
            "higher",
            extractor=JUDGE,
            is_embedded=True,
            per_clip=clap,
        ),
    )


def _timing(batch_size: int) -> Timing:
    stages = {"text": 0.012, "denoiser": 0.045, "decoder": 0.031, "vocoder": 0.084}
    spread = {
        name: {"median": value * batch_size, "p95": 1.2 * value * batch_size}
        for name, value in stages.items()
    }
    total, sampler = 0.18 * batch_size, spread["denoiser"]
    return Timing(
        batch_size,
        50,
        3,
        5.0,
        2,
        spread,
        {"median": total, "p95": 1.3 * total},
        sampler,
        0.036 - batch_size / 1e3,
        0.009,
    )
