"""Sounds and pictures of sounds: as bytes that a page can carry inside, and as files."""

import base64
import functools
import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch

from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MIN, N_FFT, SAMPLE_RATE, MelSpectrogram
from audiolcm.errors import UserError
from audiolcm.pages.html import Html, element
from audiolcm.storage.files import atomic_path

BRIGHTEST = 1.0
"""log10 magnitude of the brightest color; the darkest is silence, -5. One scale for all pictures of all pages."""

_LOSSLESS_BUDGET = 4_600_000  # bytes of all sounds of a page; base64 makes 6.1 MB of them
_NUM_COLORS = 64  # two decibels a step: no banding to be seen, and half the bytes of 256


def sound_uris(waveforms: Sequence[np.ndarray]) -> tuple[list[str], str]:
    """Return the waveforms as data URIs and the name of their format: FLAC, lossless, where all fit, else MP3."""
    sounds = [encoded(waveform, "FLAC", "PCM_16") for waveform in waveforms]
    if sum(map(len, sounds)) <= _LOSSLESS_BUDGET:
        return [data_uri("audio/flac", sound) for sound in sounds], "FLAC, lossless"
    sounds = [encoded(waveform, "MP3", "MPEG_LAYER_III") for waveform in waveforms]
    return [data_uri("audio/mpeg", sound) for sound in sounds], "MP3, lossy: judge fine detail by the files"


def encoded(waveform: np.ndarray, container: str, subtype: str) -> bytes:
    """Return a waveform (samples,) at 16 kHz as the bytes of a file, by libsndfile's names of formats."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1.0, 1.0), SAMPLE_RATE, format=container, subtype=subtype)
    return file.getvalue()


def mel_levels(waveform: np.ndarray) -> np.ndarray:
    """Return the log-mel picture of a waveform (samples,) as color numbers (80, frames) uint8, low bands below."""
    padded = np.pad(waveform, (0, max(0, N_FFT - len(waveform))))
    mel = MelSpectrogram()(torch.from_numpy(padded)[None])[0].numpy()
    shade = np.clip((mel - LOG_MEL_MIN) / (BRIGHTEST - LOG_MEL_MIN), 0.0, 1.0)
    return np.rint(shade[::-1] * (_NUM_COLORS - 1)).astype(np.uint8)


def save_spectrogram(path: str | Path, mel: np.ndarray, title: str) -> None:
    """Draw a log10 mel spectrogram (80, frames) over time in seconds into a PNG file, atomically."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # half a second, wanted only for pictures
    from matplotlib.figure import Figure

    mel = np.asarray(mel, dtype=np.float32)
    if mel.ndim != 2 or mel.shape[1] == 0:
        raise UserError(f"Cannot draw {path}: expected a mel of shape (mels, frames), got {mel.shape}.")
    figure = Figure(figsize=(8, 3))
    axes = figure.subplots(gridspec_kw={"left": 0.07, "right": 0.93, "bottom": 0.16, "top": 0.9})
    extent = (0.0, mel.shape[1] * HOP_LENGTH / SAMPLE_RATE, 0.0, mel.shape[0])
    image = axes.imshow(mel, origin="lower", aspect="auto", vmin=LOG_MEL_MIN, vmax=BRIGHTEST, extent=extent)
    axes.set(title=title, xlabel="time (s)", ylabel="mel channel")
    figure.colorbar(image, ax=axes, fraction=0.025, pad=0.015, label="log10 magnitude")
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


@functools.cache
def palette() -> np.ndarray:
    """Return the colors (64, 3) uint8, RGB: matplotlib's magma, as light to the eye as the sound is strong."""
    from matplotlib import colormaps  # half a second, wanted only for pictures

    return np.rint(colormaps["magma"](np.linspace(0.0, 1.0, _NUM_COLORS))[:, :3] * 255).astype(np.uint8)


def png(levels: np.ndarray) -> bytes:
    """Return color numbers (height, width) as a PNG file with ``palette`` (PNG specification, color type 3)."""
    height, width = levels.shape
    rows = np.pad(levels, ((0, 0), (1, 0)))  # each row begins with its filter: 0, none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette().tobytes()), (b"IDAT", zlib.compress(rows.tobytes(), 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in (*chunks, (b"IEND", b"")))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def data_uri(media_type: str, data: bytes) -> str:
    """Return the data as an address that holds it."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def figure(
    title: str, about: str, note: str, waveform: np.ndarray, uri: str, file: str | None = None
) -> Html:
    """Return a sound with its picture, as ``player.js`` plays it.

    Args:
        title: stands above it.
        about: with the title names it to those who cannot see it.
        note: such as its length.
        waveform: (samples,) at 16 kHz, which is drawn.
        uri: the address that holds the sound.
        file: where it lies, told to who points at the note.
    """
    picture = data_uri("image/png", png(mel_levels(waveform)))
    name = f"{title}: {about}"
    return element(
        "figure",
        element("figcaption", element("b", title), element("span", note, title=file)),
        element(
            "div",
            element("img", src=picture, alt=f"Mel spectrogram, {name}"),
            element("span", class_="playhead"),
            class_="picture",
        ),
        element("audio", src=uri, controls=True, preload="metadata", aria_label=name),
    )
