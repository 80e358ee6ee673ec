"""Which code this is."""

import importlib.metadata
import subprocess
from pathlib import Path

VERSION_FILE = ".code_version"
"""In a copy of a checkout, beside src: the version of the original."""


def code_version() -> str:
    """Return the package version, and the git commit when the code lies in a checkout or in a copy of one."""
    version = importlib.metadata.version("audiolcm")
    here = Path(__file__).parent
    recorded = here.parents[2] / VERSION_FILE
    if recorded.exists():
        return recorded.read_text()
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version} ({described.stdout.strip()})"
