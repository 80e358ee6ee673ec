"""The hash that names what was made from JSON content, and seals files of ours against change; which code made it.

Imports no torch.
"""

import hashlib
import importlib.metadata
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.moved import former

HASH_LENGTH = 10
SEAL = "seal"
"""The key under which a JSON file of ours has the hash of all the rest of it."""
VERSION_FILE = ".code_version"
"""In a copy of a checkout, beside src: the version of the original."""


def content_hash(content: object) -> str:
    """Return ten hexadecimal digits of SHA-256 over JSON content, the same for any order of keys.

    Nor does it change when a class that a ``_target_`` names moves to another module.
    """
    text = json.dumps(former(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON content with its hash, by which ``unsealed`` notices any change of it."""
    return {**content, SEAL: content_hash(json.loads(json.dumps(content)))}  # as it will be read


def unsealed(content: object) -> dict[str, Any]:
    """Return sealed content without its hash; what was written before there were seals is taken as it is.

    Raises:
        ValueError: it is no mapping, or not what was sealed.
    """
    if not isinstance(content, dict):
        raise ValueError(f"it is a {type(content).__name__} instead of a mapping")
    rest = {name: value for name, value in content.items() if name != SEAL}
    if SEAL in content and content[SEAL] != content_hash(rest):
        raise ValueError("its content has changed")
    return rest


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
