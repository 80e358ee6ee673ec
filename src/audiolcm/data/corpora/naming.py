"""Clips by rows of a table: their names, and captions where there are only labels."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from audiolcm.data.manifest import Clip, fallback_structure


def captioned_clip(
    name: str,
    path: Path | None,
    caption: str,
    split: str,
    labels: Sequence[str] = (),
    duration: float = 0.0,
    row: int = 0,
    problem: str = "",
) -> Clip:
    """Return a clip whose caption nobody has parsed."""
    structured = fallback_structure(caption)
    return Clip(name, path, caption, structured, duration, split, tuple(labels), row=row, problem=problem)


def caption_of_labels(labels: Sequence[str]) -> str:
    """Return the labels as one sentence: ("Dog", "Rain", "Wind_noise") gives "The sound of dog, rain and wind noise".

    Underscores are spaces, capitals at the start of a label that goes on in small letters become small, repeats go.
    The paper does not say how it turns labels into captions: this rule is ours. No label gives "".
    """
    words = list(dict.fromkeys(word for label in labels if (word := _words_of_label(label))))
    if not words:
        return ""
    *most, last = words
    return f"The sound of {', '.join(most)} and {last}" if most else f"The sound of {last}"


def _words_of_label(label: str) -> str:
    text = " ".join(label.replace("_", " ").split())
    return text[0].lower() + text[1:] if text[:1].isupper() and not text[1:2].isupper() else text


def unique_names(names: Iterable[str]) -> list[str]:
    """Number the repeats of a name: a, b, a, a -> a, b, a_2, a_3 (one clip with several captions).

    A number whose name another one has is passed over: a, a, a_2 -> a, a_3, a_2.
    """
    names = list(names)
    taken, last, unique = set(names), dict.fromkeys(names, 0), []
    for name in names:
        last[name] += 1
        while last[name] > 1 and f"{name}_{last[name]}" in taken:
            last[name] += 1
        unique.append(name if last[name] == 1 else f"{name}_{last[name]}")
        taken.add(unique[-1])
    return unique
