"""Where published weights lie on this machine; of the standard library alone, for --help asks it too."""

import os
from pathlib import Path

FOLDER_VARIABLE = "AUDIOLCM_WEIGHTS"


def weights_folder(folder: Path | None = None) -> Path:
    """Return the cache folder: ``folder``, else ``$AUDIOLCM_WEIGHTS``, else ``~/.cache/audiolcm/weights``."""
    if folder is not None:
        return folder
    return Path(
        os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "audiolcm" / "weights"
    ).expanduser()
