"""The last act of preparing a split: which clips are usable and where their sound lies, and which are not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.data.manifest import LEFT_OUT
from audiolcm.data.preparing.plan import Keys, Plan, remove_plan
from audiolcm.data.store.arrow_rows import writing_rows
from audiolcm.data.store.checked_json import file_facts, write_json
from audiolcm.data.store.prepared import (
    BAD_FILE,
    BAD_SCHEMA,
    CLIP_FIELDS,
    CLIPS_FILE,
    CLIPS_SCHEMA,
    MISSING_FILE,
    SPLIT_FILE,
)
from audiolcm.data.store.samples import sound_lengths
from audiolcm.data.store.shards import ShardReader


def seal_split(folder: Path, split: str) -> None:
    """Write the tables of a split whose shards are all made; its last file says that it is finished."""
    plan, shards = Plan(folder), ShardReader(folder)
    lengths = sound_lengths(shards)
    numbers = np.cumsum(lengths > 0) - 1  # of the sounds that were accepted
    captions = Keys()
    captions.add("", "")
    for row in _kept(plan, lengths):
        captions.add(row["caption"], row["structured_caption"])
    caption_numbers = _numbered(captions.first())
    position = 0
    with writing_rows(folder / CLIPS_FILE, CLIPS_SCHEMA) as add:
        for position, row in enumerate(_kept(plan, lengths), start=1):
            item = row["sound"]
            places = {
                "item": item,
                "sound": int(numbers[item]),
                "caption_number": int(caption_numbers[position]),
            }
            clip = {name: row[name] for name in CLIP_FIELDS.names}
            add(clip | {"duration": int(lengths[item]) / SAMPLE_RATE} | places)
    bad = _write_bad(folder, split, plan, shards, lengths)
    if position + bad["bad"] != len(plan.rows):
        raise RuntimeError(
            f"{folder}: {len(plan.rows)} rows, {position} clips and {bad['bad']} reported rows"
        )
    counts = {
        "clips": position,
        "sounds": int((lengths > 0).sum()),
        "samples": int(lengths.sum()),
        "planned_sounds": plan.num_sounds,
    } | bad
    tables = {name: file_facts(folder / name) for name in (CLIPS_FILE, BAD_FILE, MISSING_FILE)}
    write_json(folder / SPLIT_FILE, counts | {"tables": tables})
    remove_plan(folder)


def _kept(plan: Plan, lengths: np.ndarray) -> Iterator[dict[str, Any]]:
    return (row for row in plan.rows if row["sound"] >= 0 and lengths[row["sound"]])


def _numbered(first: np.ndarray) -> np.ndarray:
    """Number distinct keys in the order of their first use, from the position of the first equal key."""
    is_first = first == np.arange(len(first))
    return (np.cumsum(is_first) - 1)[first]


def _write_bad(
    folder: Path, split: str, plan: Plan, shards: ShardReader, lengths: np.ndarray
) -> dict[str, int]:
    """Write the rows that are no clips, and of every sound file that is not there its first row; return the counts.

    "left_out" are those of the "bad" ones that could be used.
    """
    num_bad, num_left_out, missing = 0, 0, set()
    with (
        writing_rows(folder / BAD_FILE, BAD_SCHEMA) as add,
        writing_rows(folder / MISSING_FILE, BAD_SCHEMA) as lacks,
    ):
        for row in plan.rows:
            item = row["sound"]
            if item >= 0 and lengths[item]:
                continue
            reason = row["reason"] if item < 0 else shards.reason(item)
            bad = {"split": split, "row": row["row"], "name": row["name"], "reason": reason}
            add(bad)
            num_bad += 1
            num_left_out += str(reason).startswith(LEFT_OUT)
            if reason == f"Audio file {row['audio_path']} not found." and item not in missing:
                lacks(bad | {"reason": row["audio_path"]})
                missing.add(item)
    return {"bad": num_bad, "missing": len(missing), "left_out": num_left_out}
