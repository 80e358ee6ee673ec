"""The listening test as one HTML file: sounds inside, no network, order and answers kept by its own script."""

import json
from collections.abc import Mapping
from string import Template
from typing import Any

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.pages.html import Html, asset, element, head, joined
from audiolcm.pages.media import data_uri, encoded
from evaluation.listening.key import ListeningKey
from evaluation.listening.questions import DEVICES, SCALE

PACKAGE = "evaluation.listening"
CONSENT = (
    "I take part of my own free will, I know that I can stop at any time, and I agree that my ratings are used "
    "in research without my name."
)
_KEYS = (
    "Keys: Space plays and stops, 1 to 5 rate, arrow up and down change the rating, Enter or arrow right goes on, "
    "arrow left goes back."
)
_TONE_SECONDS, _TONE_HZ, _TONE_LEVEL = 1.5, 500.0, 0.1
_DECIDING = 5.0  # seconds for each sound


def render(key: ListeningKey, sounds: Mapping[str, bytes]) -> str:
    """Return the page, which names no system.

    Args:
        key: of the test.
        sounds: FLAC files by token, sorted: their order tells nothing.
    """
    script = asset("page.js", PACKAGE)
    body = filled(
        "page.html",
        title=key.title,
        count=len(key.trials),
        parts=" and ".join(question.heading.lower() for question in key.questions),
        minutes=f"{sum(trial.seconds + _DECIDING for trial in key.trials) / 60:.0f}",
        keys=_KEYS,
        devices=joined(*(radio("device", name, name, required=True) for name in DEVICES)),
        consent=CONSENT,
        ratings=joined(*(_rating(number, value) for number, value in enumerate(SCALE, start=1))),
        test=_test(key, sounds),
        script=script,
    )
    top = head(key.title, asset("page.css", PACKAGE), script)
    return "<!doctype html>\n" + element("html", top, body, lang="en") + "\n"


def filled(name: str, **parts: object) -> Html:
    """Return a file of this package with what stands there as ``$part`` filled in, escaped as in ``element``."""
    markup = {part: joined(content) for part, content in parts.items()}
    return Html(Template(asset(name, PACKAGE)).substitute(markup))


def radio(name: str, value: object, text: str, **attributes: Any) -> Html:
    """Return a radio button with the text beside it."""
    return element("label", element("input", type="radio", name=name, value=value, **attributes), f" {text}")


def flac(waveform: np.ndarray) -> bytes:
    """Return a waveform (samples,) at 16 kHz as a FLAC file of 16 bits; beyond full scale, 1, it is clipped."""
    return encoded(waveform, "FLAC", "PCM_16")


def _rating(number: int, value: int) -> Html:
    return element(
        "label",
        element("input", type="radio", name="rating", value=value, aria_keyshortcuts=number),
        element("b", value),
        element("span", class_="word"),
        element("kbd", number, aria_hidden="true"),
    )


def _test(key: ListeningKey, sounds: Mapping[str, bytes]) -> Html:
    """Return what the script knows, as JSON that no caption can end the script element with."""
    content = {
        "test": key.test,
        "scale": SCALE,
        "questions": [_fields(question, "key", "heading", "text", "labels") for question in key.questions],
        "trials": [_fields(trial, "token", "question", "sound", "kind", "shown") for trial in key.trials],
        "sounds": {token: data_uri("audio/flac", sound) for token, sound in sounds.items()},
        "tone": data_uri("audio/flac", flac(_tone())),
    }
    return Html(json.dumps(content).replace("<", "\\u003c").replace(">", "\\u003e"))


def _fields(one: object, *names: str) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names}


def _tone() -> np.ndarray:
    """Return the sound by which raters set their volume: 500 Hz at -20 dB with soft ends, (samples,)."""
    time = np.arange(round(_TONE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    fade = np.clip(np.minimum(time, _TONE_SECONDS - time) / 0.1, 0.0, 1.0)
    return (_TONE_LEVEL * fade * np.sin(2 * np.pi * _TONE_HZ * time)).astype(np.float32)
