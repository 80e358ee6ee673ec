"""Structured captions by rules: no model, no network, the words of the caption and nothing else.

"then", "followed by", "before" and "after" part a caption into phases, "while", "as", "and", commas and "with ... in
the background" part a phase into sounds heard together. The rules know no grammar of English: where "and" may as well
join two nouns or two verbs of one sound, it is left alone.
"""

import re
from collections.abc import Iterator

from audiolcm.data.manifest import has_words
from audiolcm.errors import UserError
from audiolcm.structure.captions import Event, clean, structured

_HIDDEN = "\0"  # a blank that no rule sees
_IDIOMS = re.compile(
    r"\b(?:(\w+) and \1|rock and roll|drum and bass|rhythm and blues|black and white|pots and pans|back and forth|"
    r"up and down|on and off|in and out|to and fro|here and there|now and (?:then|again)|every now and then|by then|"
    r"for a while|(?:every )?once in a while|after a (?:while|moment|pause)|a while|before long|"
    r"(?:one|day|time) after (?:another|the other|day|time)|"
    r"as (?:if|though|usual|before)|as well(?! as)|as (?!well\b)\w+ as|(?:such|same|known|sounds?) as)\b",
    re.IGNORECASE,
)

# A caption that opens with its joining word: "After X, Y".
_OPENING = re.compile(r"(?P<word>after|before|while|as) (?P<one>[^,]+), (?P<two>.+)", re.IGNORECASE)
_FIRST = re.compile(r"(?:at )?first,? ", re.IGNORECASE)

_SOON = r"(?:just|right|shortly|soon|immediately|quickly|closely)\s+"
_THEN = re.compile(
    rf"[,;.]?\s+(?:and\s+|but\s+)?(?:(?P<swap>(?:{_SOON})?after(?!\s+(?:that|which)\b))|(?:{_SOON})?before|"
    rf"after\s+(?:that|which)|(?:(?:is|are)\s+)?(?:{_SOON})?followed\s+(?:{_SOON})?by|"
    r"then(?:\s+(?:finally|later))?|finally|later|afterwards?),?(?=\s)",
    re.IGNORECASE,
)
_TOGETHER = re.compile(
    r"(?:[,;.]?\s+(?:and\s+)?(?:while|whilst|as\s+well\s+as|as)|[;.!?])(?=\s)|"
    r",?\s+with(?=\s[^,]*\sin\s+the\s+background)|(?P<weak>,(?:\s+and)?(?=\s)|\s+and(?=\s))",
    re.IGNORECASE,
)
_VERB = re.compile(r"\w+ing|\w+[^\Wsui]s", re.IGNORECASE)
_SHARED_VERB = re.compile(r"\w+(?:ing|s|ed)", re.IGNORECASE)
_AFTER_VERB = re.compile(
    r"\w+ly|away|by|off|past|up|down|on|over|around|in|out|through|into|to|at|with|again|and|the|a|an|as",
    re.IGNORECASE,
)


class Rules:
    """The structurer that is always there; a call returns one structured caption for each caption."""

    def __call__(self, captions: list[str]) -> list[str]:
        """Return the structured captions, in order; raises UserError for a caption without a word."""
        return [structured(events(caption)) for caption in captions]


def events(caption: str) -> tuple[Event, ...]:
    """Part a caption into its events, in the order of time, and tag them."""
    if not has_words(caption):
        raise UserError(f"The caption {caption!r} holds no word: say what is to be heard.")
    text = clean(caption).rstrip(" .,;")
    phases = _phases(_IDIOMS.sub(lambda found: found[0].replace(" ", _HIDDEN), text))
    tags = ["all"] if len(phases) == 1 else ["start", *["mid"] * (len(phases) - 2), "end"]
    return tuple(
        Event(_plain(sound), tag) for phase, tag in zip(phases, tags, strict=True) for sound in _sounds(phase)
    )


def _phases(text: str) -> list[str]:
    """Return what sounds one after the other."""
    opening = _OPENING.fullmatch(text)
    if opening and has_words(opening["one"]) and has_words(opening["two"]):
        word, one, two = opening.groups()
        if word.lower() in ("after", "before"):
            earlier, later = (one, two) if word.lower() == "after" else (two, one)
            return _phases(earlier) + _phases(later)
        text = f"{one} {word} {two}"
    phases: list[str] = []
    swap = False
    for phase, joint in _split(_THEN, text):
        phases.insert(len(phases) - swap, phase)
        swap = joint is not None and joint["swap"] is not None
    if len(phases) > 1 and (first := _FIRST.match(phases[0])):
        phases[0] = phases[0][first.end() :]
    return phases


def _sounds(phase: str) -> list[str]:
    """Return what sounds at the same time."""
    sounds: list[str] = []
    glue = ""
    for piece, joint in _split(_TOGETHER, phase):
        if glue and not _are_two(sounds[-1], piece):
            sounds[-1] += f"{glue} {piece}"
        else:
            sounds.append(piece)
        glue = joint["weak"] if joint and joint["weak"] else ""
    return sounds


def _split(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yield pieces with the joint behind each; a joint with nothing on one side is part of the text."""
    begin = 0
    for joint in pattern.finditer(text):
        if text[begin : joint.start()].strip(" ,;.") and text[joint.end() :].strip(" ,;."):
            yield text[begin : joint.start()].strip(" ,;."), joint
            begin = joint.end()
    yield text[begin:].strip(" ,;."), None


def _are_two(left: str, right: str) -> bool:
    """Say whether "and" or a comma joins two sounds here, rather than two nouns or two verbs of one sound."""
    first, second = left.split(), right.split()
    if len(first) < 2 or len(second) < 2:
        return False
    if _SHARED_VERB.fullmatch(second[0]) and _AFTER_VERB.fullmatch(second[1]):
        return False  # "a car starts and drives away"
    speaks = first[0].lower().endswith("ing") or any(map(_VERB.fullmatch, first[1:]))
    return speaks and (any(map(_VERB.fullmatch, second[1:])) or bool(_VERB.fullmatch(first[-1])))


def _plain(sound: str) -> str:
    """Show the hidden blanks, and write the first word small unless it is an abbreviation."""
    text = " ".join(sound.replace(_HIDDEN, " ").split())
    return text if text[1:2].isupper() else text[0].lower() + text[1:]
