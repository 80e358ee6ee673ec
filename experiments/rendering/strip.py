"""``python -m experiments strip CHECKPOINT CAPTION ...``: what a model sounds like, as the README shows it.

One picture, a strip of mel spectrograms under their captions, and a short sound of each caption.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MIN, SAMPLE_RATE, MelSpectrogram
from audiolcm.environment.terminal import say
from audiolcm.errors import UserError
from audiolcm.pages.media import BRIGHTEST, encoded
from audiolcm.pipeline import AudioLCM
from audiolcm.request import read_request
from audiolcm.storage.files import atomic_path

PICTURE = "strip.png"
_MOST_CAPTIONS = 6
_WIDTH, _HEIGHT, _DPI = 2.1, 2.1, 100  # inches of one spectrogram with its caption
_WORDS = 26  # signs in a line of a caption


def run_strip(given: argparse.Namespace) -> int:
    """Generate the captions and write picture and sounds; return the exit code."""
    captions = given.captions
    if len(captions) > _MOST_CAPTIONS:
        raise UserError(f"A strip holds {_MOST_CAPTIONS} captions at most; {len(captions)} were given.")
    names = [f"{_slug(caption)}.ogg" for caption in captions]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"Two captions would be the same file, {doubled[0]}: give other words.")
    read_request(captions, given.duration, given.seed, None)  # refused before a model is read
    made = AudioLCM.from_checkpoint(given.checkpoint)(
        captions, given.duration, given.seed, steps=given.steps, omega=given.omega
    )
    given.out.mkdir(parents=True, exist_ok=True)
    paths = [given.out / PICTURE, *(given.out / name for name in names)]
    draw_strip(captions, list(made.waveforms), paths[0])
    for path, waveform in zip(paths[1:], made.waveforms, strict=True):
        with atomic_path(path) as temporary:  # a sixth of what FLAC takes
            temporary.write_bytes(encoded(waveform, "OGG", "VORBIS"))
    say("".join(f"{path}: {path.stat().st_size / 1000:.0f} kB\n" for path in paths))
    return 0


def _slug(caption: str) -> str:
    """Return a name for the file of a caption's sound."""
    return re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:60] or "sound"


def draw_strip(captions: Sequence[str], waveforms: Sequence[np.ndarray], path: Path) -> None:
    """Draw mel spectrograms beside each other, each under its caption, into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH * len(captions), _HEIGHT), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    places = np.atleast_1d(figure.subplots(1, len(captions), sharey=True))
    for axes, caption, waveform in zip(places, captions, waveforms, strict=True):
        mel = MelSpectrogram()(torch.from_numpy(waveform)[None])[0].numpy()
        end = mel.shape[1] * HOP_LENGTH / SAMPLE_RATE
        axes.imshow(
            mel,
            origin="lower",
            aspect="auto",
            cmap="magma",
            interpolation="nearest",  # blended colors make a file half again as large
            vmin=LOG_MEL_MIN,
            vmax=BRIGHTEST,
            extent=(0.0, end, 0.0, len(mel)),
        )
        axes.set(yticks=[])
        axes.tick_params(labelsize=7)
        axes.set_xlabel("s", fontsize=7, labelpad=0)
        axes.set_title(textwrap.fill(caption, _WORDS), fontsize=8, parse_math=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
