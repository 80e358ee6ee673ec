"""From which omega the students of records were trained."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from audiolcm.configuration.fingerprint import settings_made
from audiolcm.storage.plain_data import read_yaml
from audiolcm.sweeps.row_sweeper import CONF
from experiments.records.records import Result


def omega_of_training(results: Iterable[Result]) -> list[str]:
    """Return from which omega students were trained, told from the hash of their training's section ``guidance``.

    One sentence, or none where a record names no training, or one of a range that conf/guidance does not have.
    """
    sections = [result.training.get("sections") for result in results if result.training]
    hashes = {str(known.get("guidance")) if isinstance(known, dict) else "" for known in sections}
    ranges = [_guidance_ranges().get(found) for found in hashes]
    if not ranges or None in ranges:
        return []
    words = " and ".join(sorted(filter(None, ranges)))
    return [f"students trained with omega {words} (the paper: from 4 to 12)"]


@cache
def _guidance_ranges() -> dict[str, str]:
    """Return words for each option of conf/guidance, by the hash that a training's settings have of it.

    Profiles and recipes change options: there it is as each of these leaves it, too.
    """
    options = [read_yaml(path) for path in (CONF / "guidance").glob("*.yaml")]
    changing = [*(CONF / "profile").glob("*.yaml"), *(CONF / "recipe").glob("*.yaml")]
    changes = [read_yaml(path).get("guidance", {}) for path in changing]
    return {
        settings_made({"guidance": option | change})["sections"]["guidance"]: _in_words(option | change)
        for option in options
        for change in changes
    }


def _in_words(guidance: Mapping[str, Any]) -> str:
    interval = guidance.get("interval")
    limits = " at timesteps {} to {} alone".format(*interval) if interval else ""
    return f"from {guidance['w_min']:g} to {guidance['w_max']:g}{limits}"
