"""``python -m experiments strip CHECKPOINT CAPTION ...``: what a model sounds like, as the README shows it.

One picture, a strip of mel spectrograms under their captions, and a short sound of each caption. With ``--beside`` the
captions are those of test clips, each a row: the true sound, the teacher's, the student's at 1, 2 and 4 steps.
"""

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MIN, SAMPLE_RATE, MelSpectrogram
from audiolcm.configuration.build import build
from audiolcm.configuration.kept import read_yaml
from audiolcm.environment.terminal import say
from audiolcm.errors import UserError
from audiolcm.pages.media import BRIGHTEST, encoded
from audiolcm.pipeline import AudioLCM
from audiolcm.published.models import open_model
from audiolcm.request import read_request
from audiolcm.storage.files import atomic_path
from audiolcm.weights.artifacts import Artifact

PICTURE, PICTURE_BESIDE = "strip.png", "beside.png"
STUDENT_STEPS = (1, 2, 4)
_MOST_CAPTIONS = 6
_WIDTH, _HEIGHT, _DPI = 2.1, 2.1, 100  # inches of one spectrogram with its caption
_WORDS, _WORDS_BESIDE = 26, 15  # signs in a line of a caption above, and to the left

Strip = Mapping[str, Sequence[np.ndarray]]
"""For each column's title the waveforms (samples,) of its rows."""


def run_strip(given: argparse.Namespace) -> int:
    """Generate the captions and write picture and sounds; return the exit code."""
    captions = given.captions
    if len(captions) > _MOST_CAPTIONS:
        raise UserError(f"A strip holds {_MOST_CAPTIONS} captions at most; {len(captions)} were given.")
    slugs = list(map(_slug, captions))
    if doubled := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise UserError(f"Two captions would be the same file, {doubled[0]}.ogg: give other words.")
    read_request(captions, given.duration, given.seed, None)  # refused before a model is read
    if given.beside:
        strip = _beside(given)
        sounds = {
            f"{slug}-{_slug(title)}.ogg": waveforms[row]
            for row, slug in enumerate(slugs)
            for title, waveforms in strip.items()
        }
    else:
        made = AudioLCM.from_checkpoint(given.checkpoint)(
            captions, given.duration, given.seed, steps=given.steps, omega=given.omega
        )
        strip = {caption: [waveform] for caption, waveform in zip(captions, made.waveforms, strict=True)}
        sounds = {f"{slug}.ogg": waveform for slug, waveform in zip(slugs, made.waveforms, strict=True)}
    given.out.mkdir(parents=True, exist_ok=True)
    picture = given.out / (PICTURE_BESIDE if given.beside else PICTURE)
    draw_strip(strip, picture, captions if given.beside else ())
    for name, waveform in sounds.items():
        with atomic_path(given.out / name) as temporary:  # a sixth of what FLAC takes
            temporary.write_bytes(encoded(waveform, "OGG", "VORBIS"))
    paths = [picture, *(given.out / name for name in sounds)]
    say("".join(f"{path}: {path.stat().st_size / 1000:.0f} kB\n" for path in paths))
    return 0


def _beside(given: argparse.Namespace) -> Strip:
    """Return the true sounds of the captions, the teacher's and the student's at several numbers of steps.

    Raises:
        UserError: ``--steps`` is given too, or a caption is of no clip of the test split.
    """
    if given.steps is not None:
        raise UserError("--beside has steps of its own: leave out --steps.")
    student = open_model(given.checkpoint, "student")
    strip = {"true": _true_sounds(student, given.captions, given.duration)}
    request = (given.captions, given.duration, given.seed)
    teacher = AudioLCM.from_checkpoint(student.parent("teacher").folder)
    made = teacher(*request, omega=given.omega)
    strip[f"teacher, {teacher.sampler.num_steps} steps"] = list(made.waveforms)
    model = AudioLCM.from_checkpoint(student.folder)
    for steps in STUDENT_STEPS:
        made = model(*request, steps=steps, omega=given.omega)
        strip[f"student, {steps} step{'s' * (steps > 1)}"] = list(made.waveforms)
    return strip


def _true_sounds(student: Artifact, captions: Sequence[str], duration: float) -> list[np.ndarray]:
    """Return the sounds (samples,) of test clips by their captions, cut or padded to a duration in seconds."""
    corpus = build(read_yaml(student.config_file())["dataset"], "dataset")
    clips = {clip.caption: clip for clip in corpus.clips("test")}
    if odd := [caption for caption in captions if caption not in clips]:
        raise UserError(
            f"No test clip of {corpus.name} has the caption {odd[0]!r}; one has {next(iter(clips))!r}."
        )
    samples = round(duration * SAMPLE_RATE)
    sounds = [corpus.waveform(clips[caption])[:samples] for caption in captions]
    return [np.pad(sound, (0, samples - len(sound))) for sound in sounds]


def _slug(caption: str) -> str:
    """Return a name for the file of a caption's sound."""
    return re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:60] or "sound"


def draw_strip(strip: Strip, path: Path, labels: Sequence[str] = ()) -> None:
    """Draw mel spectrograms into a PNG file: columns under their titles, rows beside their labels."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = len(next(iter(strip.values())))
    height = _HEIGHT * (0.3 + 0.55 * rows if labels else 1.0)
    figure = Figure(figsize=(_WIDTH * len(strip), height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, len(strip), sharex=True, sharey=True, squeeze=False)
    for column, (title, waveforms) in enumerate(strip.items()):
        for row, waveform in enumerate(waveforms):
            axes = grid[row, column]
            mel = MelSpectrogram()(torch.from_numpy(waveform)[None])[0].numpy()
            end = mel.shape[1] * HOP_LENGTH / SAMPLE_RATE
            axes.imshow(
                mel,
                origin="lower",
                aspect="auto",
                cmap=colormaps["magma"].resampled(64),  # these and no blended colors: a smaller file
                interpolation="nearest",
                vmin=LOG_MEL_MIN,
                vmax=BRIGHTEST,
                extent=(0.0, end, 0.0, len(mel)),
            )
            axes.set(yticks=[])
            axes.tick_params(labelsize=7)
        grid[0, column].set_title(textwrap.fill(title, _WORDS), fontsize=8, parse_math=False)
        grid[-1, column].set_xlabel("s", fontsize=7, labelpad=0)
    for axes, label in zip(grid[:, 0] if labels else (), labels, strict=True):
        words = textwrap.fill(label, _WORDS_BESIDE)
        axes.set_ylabel(words, fontsize=8, rotation=0, ha="right", va="center", parse_math=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
