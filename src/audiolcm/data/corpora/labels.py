"""Captions of sounds that have only labels."""

from collections.abc import Sequence


def caption_of_labels(labels: Sequence[str]) -> str:
    """Return the labels as one sentence: ("Dog", "Rain", "Wind_noise") gives "The sound of dog, rain and wind noise".

    Underscores are spaces, capitals at the start of a label that goes on in small letters become small, repeats go.
    The paper does not say how it turns labels into captions: this rule is ours. No label gives "".
    """
    words = list(dict.fromkeys(word for label in labels if (word := _words(label))))
    if not words:
        return ""
    *most, last = words
    return f"The sound of {', '.join(most)} and {last}" if most else f"The sound of {last}"


def _words(label: str) -> str:
    text = " ".join(label.replace("_", " ").split())
    return text[0].lower() + text[1:] if text[:1].isupper() and not text[1:2].isupper() else text
