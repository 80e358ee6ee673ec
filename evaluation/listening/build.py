"""Makes a test: its page, its key and, where asked for, the files of a Mechanical Turk task."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Sequence
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from evaluation.listening.design import Design, Settings, design, random_token
from evaluation.listening.key import KEY_NAME, Key
from evaluation.listening.page import render
from evaluation.listening.sources import read_systems
from evaluation.listening.turk import HitSettings, write_hits

log = logging.getLogger(__name__)

PAGE_NAME = "listening.html"
MAX_PAGE_BYTES = 200_000_000  # browsers get slow with more in one page


def build(
    given: Sequence[str],
    captions: Path | None,
    folder: Path,
    title: str,
    settings: Settings,
    hits: HitSettings | None = None,
) -> Key:
    """Write ``listening.html`` and ``key.json`` into the folder, and ``mturk/`` where ``hits`` are asked for.

    given: systems as NAME=FOLDER.  captions: table for plain folders.

    Raises:
        UserError: when the folder holds a test already, a system can not be used, or the page would be too large.
    """
    if (folder / KEY_NAME).exists():
        raise UserError(
            f"{folder / KEY_NAME} exists: without it the answers of that test are worth nothing. Choose another -o."
        )
    systems = read_systems(given, captions)
    plan = design(systems, settings)
    key = Key(
        test=random_token(),
        title=title,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seed=settings.seed,
        systems=dict(text.split("=", 1) for text in given),
        trials=plan.trials,
    )
    _write_page(key, plan, folder / PAGE_NAME)
    if hits is not None:
        write_hits(key, plan, hits, folder / "mturk")
    key.write(folder / KEY_NAME)
    _tell(key, plan, folder, {name: len(stimuli) for name, stimuli in systems.items()})
    return key


def _write_page(key: Key, plan: Design, path: Path) -> None:
    page = render(key, plan).encode()
    if len(page) > MAX_PAGE_BYTES:
        raise UserError(
            f"The page would have {len(page) / 1e6:.0f} MB, more than {MAX_PAGE_BYTES / 1e6:.0f}: "
            "lower --items or --max-seconds, or make several tests."
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(page)


def _tell(key: Key, plan: Design, folder: Path, counts: dict[str, int]) -> None:
    items = len({trial.item for trial in key.trials if trial.is_scored})
    clips = ", ".join(f"{name} {count}" for name, count in counts.items())
    size = (folder / PAGE_NAME).stat().st_size / 1e6
    log.info("%d items drawn from the clips of %s; %d sounds.", items, clips, len(plan.sounds))
    log.info("Send %s (%.1f MB, %d ratings) to the raters.", folder / PAGE_NAME, size, len(key.trials))
    log.info("Keep %s: it alone tells which sound is whose.", folder / KEY_NAME)
