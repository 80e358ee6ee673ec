"""Artifacts that a test changed, with a card again that fits them: as who made the folder would have written it."""

import json
from pathlib import Path

from audiolcm.weights.artifacts import Artifact, open_artifact
from audiolcm.weights.card import write_card


def sealed_again(folder: Path, **facts: object) -> Artifact:
    """Write the card of a changed folder again, with further facts, and return the artifact."""
    write_card(folder, json.loads((folder / "card.json").read_text()) | facts)
    return open_artifact(folder)
