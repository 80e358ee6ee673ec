"""The hash that names what was made from JSON content. Imports no torch."""

import hashlib
import json

HASH_LENGTH = 10


def content_hash(content: object) -> str:
    """Return ten hexadecimal digits of SHA-256 over JSON content, the same for any order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]
