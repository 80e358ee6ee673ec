"""Published weights: where each file comes from, what it should be, and how it gets here."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WeightsFile:
    """One published file.

    name: a word, such as ``vggish``.  size: bytes, sha256: hexadecimal; None where nobody published them.
    license: of the weights, with its limits.
    """

    name: str
    url: str
    filename: str
    license: str
    size: int | None = None
    sha256: str | None = None


def obtain(name: str, path: str | None = None, folder: Path | None = None) -> Path:
    """Return the file of a registered name: ``path`` if given, else from the cache folder, else downloaded into it.

    Args:
        name: a name of the registry.
        path: a file that is there already.
        folder: the cache folder; None takes ``$AUDIOLCM_WEIGHTS`` or ``~/.cache/audiolcm/weights``.

    Raises:
        UserError: when the name is unknown, the file is not what it should be, or it can not be downloaded; says URL,
            target and what to type.
    """
    raise NotImplementedError
