"""What a split consists of, decided once before any sound is read: which rows are usable, which share a sound.

The plan is a table on disk. Whoever prepares a part of the sounds reads it, not the corpus, and holds a few bytes a
clip in memory: names and sounds are compared by 96-bit hashes in arrays. Machines share the shards of all splits.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow

from audiolcm.data.manifest import Clip, caption_problem, storable
from audiolcm.data.store.arrow_rows import ArrowRows, writing_rows
from audiolcm.data.store.checked_json import file_facts, file_fault, read_json, write_json
from audiolcm.data.store.prepared import CLIP_FIELDS, clip_of_row, clip_to_json
from audiolcm.errors import UserError

PLAN_FILE = "plan.arrow"
_FACTS_FILE = "plan.json"
_SCHEMA = pyarrow.schema([*CLIP_FIELDS, ("reason", pyarrow.string()), ("sound", pyarrow.int64())])
_DIGITS = 24  # hexadecimal ones: two of a million texts collide with a probability of 6e-18


class Keys:
    """Texts that are compared with each other without being kept: 24 bytes each."""

    def __init__(self) -> None:
        self._digests = bytearray()

    def add(self, *texts: str) -> None:
        """Add one key; several texts make one key together."""
        whole = hashlib.blake2b(digest_size=_DIGITS // 2)
        for text in texts:
            content = text.encode()
            whole.update(len(content).to_bytes(8, "little") + content)
        self._digests += whole.hexdigest().encode()

    def first(self) -> np.ndarray:
        """Return the position of the first equal key, for every key: int64 (keys,)."""
        digests = np.frombuffer(self._digests, f"S{_DIGITS}")
        _, first, group = np.unique(digests, return_index=True, return_inverse=True)
        return first[group]


class Plan:
    """The rows of a split and its distinct sounds, numbered from 0 in the order of their first usable row."""

    def __init__(self, folder: Path) -> None:
        self.rows = ArrowRows(folder / PLAN_FILE)
        sounds, rows = np.unique(self.rows.column("sound"), return_index=True)
        self._row_of_sound = rows[sounds >= 0]

    @property
    def num_sounds(self) -> int:
        """Distinct sounds of the usable rows."""
        return len(self._row_of_sound)

    def clip_of_sound(self, sound: int) -> Clip:
        """Return the first usable clip with a sound: it stands for all of them."""
        return clip_of_row(self.rows[int(self._row_of_sound[sound])])


def write_plan(
    folder: Path, clips: Sequence[Clip], split: str, left_out: Mapping[int, str] | None = None
) -> None:
    """Check every row of a split, its sound aside, and write the plan.

    Args:
        folder: of the split.
        clips: the rows, read twice, in order.
        split: its name.
        left_out: why a clip is left out though its row can be used, by its position.
    """
    left_out = left_out or {}
    names, sounds = Keys(), Keys()
    for clip in map(storable, clips):
        names.add(clip.name)
        sounds.add(*_sound_key(clip))
    first_name, first_sound = names.first(), sounds.first()
    numbers = np.full(len(first_sound), -1)
    num_sounds = 0
    with writing_rows(folder / PLAN_FILE, _SCHEMA) as add:
        for position, clip in enumerate(map(storable, clips)):
            reason = row_problem(clip, split, repeated=bool(first_name[position] != position))
            reason = reason or left_out.get(position)
            group = first_sound[position]
            if reason is None and numbers[group] < 0:
                numbers[group] = num_sounds
                num_sounds += 1
            sound = -1 if reason else int(numbers[group])
            add(clip_to_json(clip) | {"reason": reason, "sound": sound})

    write_json(folder / _FACTS_FILE, {"table": file_facts(folder / PLAN_FILE)})


def is_planned(folder: Path) -> bool:
    """Return whether there is a plan, whole and as it was written."""
    try:
        return file_fault(folder / PLAN_FILE, read_json(folder / _FACTS_FILE)["table"], content=True) is None
    except (UserError, LookupError):
        return False


def remove_plan(folder: Path) -> None:
    """Remove the plan of a split that is finished."""
    for name in (_FACTS_FILE, PLAN_FILE):
        (folder / name).unlink(missing_ok=True)


def row_problem(clip: Clip, split: str, repeated: bool) -> str | None:
    """Return why a row cannot be used, its sound aside, else None; ``repeated``: a row before it has the same name."""
    if not clip.name.strip():
        return "The name is missing."
    if repeated:
        return f"The name {clip.name!r} was used by an earlier row: names must differ."
    if clip.split != split:
        return f"The split {clip.split!r} is not {split!r}."
    if clip.problem:
        return clip.problem
    return caption_problem(clip.caption) or None


def _sound_key(clip: Clip) -> Iterable[str]:
    return ("name", clip.name) if clip.audio_path is None else ("file", str(clip.audio_path))


@dataclass(frozen=True)
class Part:
    """Part ``number`` (from 1) of ``count``: every count-th shard."""

    number: int
    count: int

    def has(self, shard: int) -> bool:
        """Return whether a shard, numbered through all splits, belongs to this part."""
        return shard % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_part(text: str, environment: Mapping[str, str] = os.environ) -> Part:
    """Read "3/64", or "auto": the task of the SLURM array that this process runs in.

    Tasks may be numbered from any number in any step, ``--array=0-63`` or ``--array=1-64``.

    Raises:
        UserError: when it is neither, or when there is no array.
    """
    if text == "auto":
        return _of_array(environment)
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UserError(
            f"--part {text}: write 3/64 for the third of 64 parts, or auto inside a SLURM array job."
        )
    return Part(int(number), int(count))


def _of_array(environment: Mapping[str, str]) -> Part:
    names = ("TASK_ID", "TASK_MIN", "TASK_MAX", "TASK_COUNT")
    found = {name: environment.get(f"SLURM_ARRAY_{name}", "") for name in names}
    if not all(value.isdecimal() for value in found.values()):
        raise UserError(
            "--part auto needs a SLURM array job, sbatch --array=1-64 ...; elsewhere type --part 3/64."
        )
    task, first, last, count = (int(found[name]) for name in names)
    step = max(1, (last - first) // max(1, count - 1))
    if first + step * (count - 1) != last or (task - first) % step:
        raise UserError(
            f"--part auto: task {task} of {count} between {first} and {last} leaves gaps. Submit the tasks in one row, "
            "such as --array=1-64, or type --part 3/64."
        )
    return Part((task - first) // step + 1, count)
