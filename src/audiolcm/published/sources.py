"""``published:audiolcm``, ``published:make_an_audio_2`` or the path of such a file: found, fetched, converted once."""

import logging
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests
from audiolcm.weights.artifacts import Identity
from audiolcm.weights.files import WeightsFile, obtain, weights_folder

log = logging.getLogger(__name__)

SCHEME = "published:"
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
PUBLISHED = {
    file.name: file
    for file in (
        WeightsFile(
            "audiolcm",
            "https://huggingface.co/liuhuadai/AudioLCM/resolve/main/audiolcm.ckpt",
            "audiolcm.ckpt",
            "none stated in the authors' repository: ask them before you redistribute or sell",
        ),
        WeightsFile(
            "make_an_audio_2",
            "https://huggingface.co/ByteDance/Make-An-Audio-2/resolve/main/maa2.ckpt",
            "maa2.ckpt",
            "MIT (of the authors' repository, which states none apart for the weights)",
        ),
    )
}


@dataclass(frozen=True)
class ModelSource:
    """A released checkpoint on this computer."""

    path: Path

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal digest of the file, remembered between runs in the folder of weights."""
        try:
            return FileDigests(weights_folder() / "digests.jsonl").of([self.path])[self.path]
        except UserError:  # that folder cannot be written, which here matters to speed alone
            return FileDigests().of([self.path])[self.path]


def is_source(text: str | Path) -> bool:
    """Return whether this names a released checkpoint rather than an artifact's folder."""
    return str(text).startswith(SCHEME) or Path(text).is_file() or Path(text).suffix == ".ckpt"


def is_hub_name(place: str | Path) -> bool:
    """Return whether this can only be a name of the Hub, ``user/model``: no path of this computer begins so."""
    is_name = isinstance(place, str) and _HUB_NAME.fullmatch(place) and not place.endswith(".ckpt")
    return bool(is_name) and not Path(place).exists() and not Path(place).parent.is_dir()


def find_source(text: str | Path) -> ModelSource:
    """Return the file that ``published:NAME`` stands for, downloaded if need be, or the file of this path.

    Raises:
        UserError: there is no such name or file, or it cannot be downloaded; says from where and whereto.
    """
    text = str(text)
    if text.startswith(SCHEME):
        name = text.removeprefix(SCHEME)
        if name not in PUBLISHED:
            choices = ", ".join(SCHEME + known for known in PUBLISHED)
            raise UserError(f"{text} is not known. Choose from: {choices}, or give the path of the file.")
        return ModelSource(obtain(PUBLISHED[name], f"its path instead of {text}"))
    path = Path(text).expanduser()
    if not path.is_file():
        raise UserError(
            f"There is no file {path}. Give audiolcm.ckpt or maa2.ckpt, or one of "
            f"{', '.join(SCHEME + known for known in PUBLISHED)}."
        )
    return ModelSource(path)


def part_identity(source: ModelSource, kind: str, stage: str) -> Identity:
    """Return what a converted part is made from: the content of the released file."""
    return Identity(stage, kind, {"published": source.sha256})
