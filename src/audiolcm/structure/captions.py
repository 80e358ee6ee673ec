"""Captions of a command line and of text files, with the structured captions that people wrote to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audiolcm.environment.terminal import CONTROL
from audiolcm.errors import UserError
from audiolcm.storage.files import lines_of, read_text
from audiolcm.structure.grammar import parse


@dataclass(frozen=True)
class Pair:
    """A caption and its structured caption, "" when nobody wrote one."""

    caption: str
    structured: str = ""


def typed_captions(captions: Sequence[str], structured: Sequence[str]) -> list[Pair]:
    """Join captions and the values of ``--structured``: none, or as many as captions.

    Raises:
        UserError: when their numbers differ, a caption is no text, or a structured one does not keep the grammar.
    """
    for text in (*captions, *structured):
        if CONTROL.search(text):
            raise UserError(
                f"The caption {text!a} holds signs that are no text: type it in UTF-8, without control signs."
            )
    if structured and len(structured) != len(captions):
        raise UserError(
            f"{len(captions)} captions, but --structured is there {len(structured)} times: "
            "give one for each caption, in the same order, or none."
        )
    for text in structured:
        _check(text, "--structured")
    return [Pair(*pair) for pair in zip(captions, structured or [""] * len(captions), strict=True)]


def read_captions(path: Path) -> list[Pair]:
    """Read a text file: a caption on each line, and after a tab, if you like, its structured caption.

    Raises:
        UserError: when the file is missing, is no text, or a line has no caption or a malformed structured one.
    """
    if not path.is_file():
        raise UserError(f"--from-file {path}: there is no such file.")
    try:
        lines = lines_of(read_text(path))
    except UnicodeDecodeError as error:
        raise UserError(f"--from-file {path} is not UTF-8 text ({error}).") from error
    return [_pair(line, f"--from-file {path}, line {i}") for i, line in enumerate(lines, 1) if line.strip()]


def _pair(line: str, where: str) -> Pair:
    caption, _, structured = (text.strip() for text in line.partition("\t"))
    if not caption:
        raise UserError(f"{where}: there is no caption before the tab.")
    if structured:
        _check(structured, where)
    return Pair(caption, structured)


def _check(structured: str, where: str) -> None:
    try:
        parse(structured)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
