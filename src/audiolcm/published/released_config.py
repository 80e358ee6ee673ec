"""What the YAML configuration of the released code states that no shape in a checkpoint tells: the number of heads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from audiolcm.storage.plain_data import read_yaml

NUM_HEADS = 8  # of the released denoisers
_PLACE = ("model", "params", "unet_config", "params")
_SIZES = {"hidden_size": "width", "depth": "depth"}


@dataclass(frozen=True)
class ReleasedConfig:
    """The denoiser of such a file. Sizes that it does not state are None, and not compared."""

    path: Path
    num_heads: int
    hidden_size: int | None = None
    depth: int | None = None

    def check(self, checkpoint: Path, model: Mapping[str, int]) -> None:
        """Refuse a configuration of another network than the checkpoint's.

        Raises:
            UserError: it states other sizes, or heads that do not divide the width.
        """
        for theirs, ours in _SIZES.items():
            stated = getattr(self, theirs)
            if stated is not None and stated != model[ours]:
                raise UserError(
                    f"{self.path} says {theirs}: {stated}, but the network in {checkpoint} has {model[ours]}: it is "
                    "of another checkpoint. Give the right one by --config FILE."
                )
        if model["width"] % self.num_heads:
            raise UserError(
                f"{self.path} says num_heads: {self.num_heads}, which does not divide the width {model['width']} of "
                f"the network in {checkpoint}. Give the right configuration by --config FILE."
            )


def find_config(checkpoint: Path, given: str | Path | None) -> ReleasedConfig | None:
    """Return the configuration that was given, or that lies beside the checkpoint under the same name; else None.

    Raises:
        UserError: it cannot be read, or one that was given states no heads.
    """
    path = Path(given).expanduser() if given else checkpoint.with_suffix(".yaml")
    if not given and not path.is_file():
        return None
    try:
        content = read_yaml(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable YAML ({error}). Give another by --config FILE.") from error
    for key in _PLACE:
        content = content.get(key) if isinstance(content, Mapping) else None
    if not given and (not isinstance(content, Mapping) or content.get("num_heads") is None):
        return None  # of an autoencoder, or of something else
    return _of(path, content if isinstance(content, Mapping) else {})


def _of(path: Path, content: Mapping[str, Any]) -> ReleasedConfig:
    sizes: dict[str, Any] = {name: content.get(name) for name in ("num_heads", *_SIZES)}
    for name, value in sizes.items():
        is_whole = type(value) is int and value > 0
        if not is_whole and not (value is None and name in _SIZES):
            raise UserError(
                f"{path} states no usable {'.'.join(_PLACE)}.{name} ({value}): it must be a whole number. Give the "
                "configuration that the checkpoint was trained with by --config FILE."
            )
    return ReleasedConfig(path, **sizes)
