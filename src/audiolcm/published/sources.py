"""``published:audiolcm``, ``published:make_an_audio_2`` or the path of such a file: found, fetched, converted once."""

import logging
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.published.released_config import NUM_HEADS, ReleasedConfig, find_config
from audiolcm.storage.file_digests import FileDigests
from audiolcm.weights.artifacts import Identity
from audiolcm.weights.files import WeightsFile, obtain, weights_folder

log = logging.getLogger(__name__)

SCHEME = "published:"
STAGES = ("student", "teacher", "target")
"""Of the denoisers in released files, as artifacts."""
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
    """A released checkpoint on this computer.

    ``config`` is what its configuration states, where one was given or lies beside it; ``ema`` is whether the teacher
    is its running average (``running_average``).
    """

    path: Path
    config: ReleasedConfig | None = None
    ema: bool = False

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


def find_source(text: str | Path, config: str | Path | None = None, ema: bool = False) -> ModelSource:
    """Return the file that ``published:NAME`` stands for, downloaded if need be, or the file of this path.

    ``config`` is the YAML file of the released code that it was trained with; None looks for one beside it, of the
    same name (audiolcm.yaml beside audiolcm.ckpt).

    Raises:
        UserError: there is no such name or file, or it cannot be downloaded; says from where and whereto.
    """
    text = str(text)
    if text.startswith(SCHEME):
        name = text.removeprefix(SCHEME)
        if name not in PUBLISHED:
            choices = ", ".join(SCHEME + known for known in PUBLISHED)
            raise UserError(f"{text} is not known. Choose from: {choices}, or give the path of the file.")
        path = obtain(PUBLISHED[name], f"its path instead of {text}")
    else:
        path = Path(text).expanduser()
    if not path.is_file():
        raise UserError(
            f"There is no file {path}. Give audiolcm.ckpt or maa2.ckpt, or one of "
            f"{', '.join(SCHEME + known for known in PUBLISHED)}."
        )
    return ModelSource(path, find_config(path, config), ema)


def part_identity(source: ModelSource, kind: str, stage: str) -> Identity:
    """Return what a converted part is made from: the content of the released file, and what was chosen beside it."""
    content: dict[str, object] = {"published": source.sha256}
    if stage in STAGES and source.config and source.config.num_heads != NUM_HEADS:
        content["num_heads"] = source.config.num_heads
    if stage in STAGES and source.ema:
        content["weights"] = "model_ema"
    return Identity(stage, kind, content)
