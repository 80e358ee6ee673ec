"""The listening test as one HTML file: sounds inside, no network, order and answers kept by its own script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.pages.html import Html, asset, element, head
from audiolcm.pages.media import data_uri, encoded
from evaluation.listening.key import ListeningKey
from evaluation.listening.questions import DEVICES, SCALE

PACKAGE = "evaluation.listening"
RATER_PATTERN = "[A-Za-z0-9][A-Za-z0-9_.@\\-]{0,63}"
"""What may name a rater: nothing that a spreadsheet would compute."""

CONSENT = (
    "I take part of my own free will, I know that I can stop at any time, and I agree that my ratings are used "
    "in research without my name."
)
RULES = (
    "Sit in a quiet place and use headphones if you can. Set the volume once, with the tone below, and leave it.",
    "Hear each sound to its end; then rate it. You may hear it again, and go back to sounds that you have rated.",
    "Rate each sound by itself. There are no right answers, but use the whole scale.",
    "Now and then a line asks you to choose a certain rating: choose that one, whatever you hear.",
    "Your progress is kept in this browser: you may close the page and go on later.",
    "At the end you download a file with your ratings. Send it to whoever asked you.",
)
KEYS = (
    "Keys: Space plays and stops, 1 to 5 rate, arrow up and down change the rating, Enter or arrow right goes on, "
    "arrow left goes back."
)
_TONE_SECONDS, _TONE_HZ, _TONE_LEVEL = 1.5, 500.0, 0.1


def render(key: ListeningKey, sounds: Mapping[str, bytes]) -> str:
    """Return the page.

    Args:
        key: Of it the page tells no system.
        sounds: FLAC files by token, sorted: their order tells nothing.
    """
    known = {
        "test": key.test,
        "scale": SCALE,
        "questions": [_fields(question, "key", "heading", "text", "labels") for question in key.questions],
        "trials": [_fields(trial, "token", "question", "sound", "kind", "shown") for trial in key.trials],
        "sounds": {token: data_uri("audio/flac", sound) for token, sound in sounds.items()},
        "tone": data_uri("audio/flac", flac(_tone())),
    }
    script = asset("page.js", PACKAGE)
    body = element(
        "body",
        element("main", _welcome(key), _trial(), _done()),
        element("noscript", "This test needs JavaScript: please allow it for this page."),
        element("script", _as_script(known), type="application/json", id="test"),
        element("script", script),
    )
    top = head(key.title, asset("page.css", PACKAGE), script)
    return "<!doctype html>\n" + element("html", top, body, lang="en") + "\n"


def flac(waveform: np.ndarray) -> bytes:
    """Return a waveform (samples,) at 16 kHz as a FLAC file of 16 bits; beyond full scale, 1, it is clipped."""
    return encoded(waveform, "FLAC", "PCM_16")


def radio(name: str, value: object, text: str, **attributes: Any) -> Html:
    """Return a radio button with the text beside it."""
    return element("label", element("input", type="radio", name=name, value=value, **attributes), f" {text}")


def _tone() -> np.ndarray:
    """Return the sound by which raters set their volume: 500 Hz at -20 dB with soft ends, (samples,)."""
    time = np.arange(round(_TONE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    fade = np.clip(np.minimum(time, _TONE_SECONDS - time) / 0.1, 0.0, 1.0)
    return (_TONE_LEVEL * fade * np.sin(2 * np.pi * _TONE_HZ * time)).astype(np.float32)


def _fields(one: object, *names: str) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names}


def _as_script(content: dict[str, Any]) -> Html:
    """Return JSON that no caption can end the script element with."""
    return Html(json.dumps(content).replace("<", "\\u003c").replace(">", "\\u003e"))


def _welcome(key: ListeningKey) -> Html:
    minutes = sum(trial.seconds + 5.0 for trial in key.trials) / 60  # five seconds to decide
    parts = " and ".join(question.heading.lower() for question in key.questions)
    about = f"You will hear {len(key.trials)} sounds and rate their {parts}. This takes some {minutes:.0f} minutes."
    devices = [radio("device", name, name, required=True) for name in DEVICES]
    return element(
        "section",
        element("h1", key.title),
        element("p", about),
        element("ul", *(element("li", rule) for rule in RULES)),
        element("p", KEYS, class_="hint"),
        element(
            "form",
            element("label", "Your name or number in this test", for_="rater"),
            element("input", id="rater", autocomplete="off", required=True, pattern=RATER_PATTERN,
                    title="Letters, digits, dots, _, - and @; begin with a letter or digit"),
            element("fieldset", element("legend", "You listen with"), *devices, class_="devices"),
            element("button", "Play the tone", type="button", id="tone"),
            element("label", element("input", type="checkbox", id="consent", required=True), f" {CONSENT}"),
            element("p", id="storage", role="status"),
            element("button", "Begin", type="submit", class_="main"),
            id="begin",
        ),
        id="welcome",
    )  # fmt: skip


def _trial() -> Html:
    ratings = [
        element(
            "label",
            element("input", type="radio", name="rating", value=value, aria_keyshortcuts=number),
            element("b", value),
            element("span", class_="word"),
            element("kbd", number, aria_hidden="true"),
        )
        for number, value in enumerate(SCALE, start=1)
    ]
    return element(
        "section",
        element("p", id="place", class_="eyebrow", role="status"),
        element("h2", id="question", tabindex=-1),
        element("p", element("span", id="kind"), element("q", id="shown"), id="above"),
        element(
            "div",
            element("button", "Play", type="button", id="play", class_="main", aria_keyshortcuts="Space"),
            element("progress", id="heard", max=1, value=0, aria_label="How much of the sound was played"),
            class_="player",
        ),
        element("fieldset", element("legend", id="legend"), *ratings, id="ratings"),
        element("p", id="status", role="status"),
        element(
            "div",
            element("button", "Back", type="button", id="back", aria_keyshortcuts="ArrowLeft"),
            element("button", "Next", type="button", id="next", aria_keyshortcuts="ArrowRight Enter"),
            class_="moves",
        ),
        element("p", KEYS, class_="hint"),
        id="trial",
        hidden=True,
    )


def _done() -> Html:
    return element(
        "section",
        element("h2", "Thank you", tabindex=-1, id="thanks"),
        element("p", "All sounds are rated. Download the file and send it to whoever asked you."),
        element("button", "Download my ratings", type="button", id="download", class_="main"),
        element("button", "Back to the sounds", type="button", id="reopen"),
        element("button", "Somebody else begins", type="button", id="another"),
        id="done",
        hidden=True,
    )
