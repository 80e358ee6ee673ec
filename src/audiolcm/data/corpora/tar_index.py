"""The members of tar shards, found once and written down: which clip lies where.

A shard is read member by member, headers only, so that no more than one clip is in memory. Only sound, .json and .txt
are ever looked at; a pickled member is skipped like any other unknown one.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

import pyarrow
from pyarrow import parquet
from tqdm import tqdm

from audiolcm.data.corpora.sidecar import Description, describe
from audiolcm.data.splits import is_held_out
from audiolcm.files import atomic_path

TAR_SOUNDS = ("wav", "flac", "mp3", "ogg", "opus", "aiff")
_TEXTS = ("json", "txt")
_LARGEST_TEXT = 1 << 20  # bytes: a description is no data set
INDEX_SCHEMA = pyarrow.schema(
    [
        ("shard", pyarrow.string()),
        ("key", pyarrow.string()),
        ("extension", pyarrow.string()),
        ("offset", pyarrow.int64()),
        ("size", pyarrow.int64()),
        ("caption", pyarrow.string()),
        ("structured_caption", pyarrow.string()),
        ("labels", pyarrow.list_(pyarrow.string())),
        ("split", pyarrow.string()),
        ("problem", pyarrow.string()),
    ]
)


def write_index(path: Path, shards: Iterable[Path], root: Path, validation_every: int, state: str) -> None:
    """Write a Parquet table with a row for every clip, a row group for every shard, and `state` as its metadata."""
    schema = INDEX_SCHEMA.with_metadata({"state": state})
    bar = tqdm(list(shards), "index shards", unit="shard", delay=2.0)
    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for shard in bar:
            rows = shard_rows(shard, shard.relative_to(root).as_posix(), validation_every)
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def shard_rows(path: Path, name: str, validation_every: int) -> list[dict[str, Any]]:
    """The clips of one shard, in order; a damaged shard has none that are good, and at least one row that says so."""
    samples: dict[str, dict[str, Any]] = {}
    problem = ""
    try:
        for key, extension, offset, size, text in _members(path):
            sample = samples.setdefault(key, {})
            if text is None:
                sample.setdefault("sound", (extension, offset, size))
            else:
                sample[extension] = text
    except (tarfile.TarError, OSError, EOFError) as error:
        problem = f"The shard {path} is damaged ({error}): copy it again."
    if not samples:
        samples[name] = {}
        problem = problem or f"The shard {path} holds no <key>.wav, .flac, .mp3, .ogg or .opus."
    return [_row(name, key, sample, problem, validation_every) for key, sample in samples.items()]


def _members(path: Path) -> Iterator[tuple[str, str, int, int, bytes | None]]:
    """(key, extension, offset, size, content of a text) of the members that are known, as webdataset names them."""
    size = path.stat().st_size
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            folder, _, file_name = member.name.removeprefix("./").rpartition("/")
            stem, _, extension = file_name.partition(".")
            extension = extension.lower()
            if member.offset_data + member.size > size:
                raise EOFError("its end is missing")
            if not member.isfile() or not stem or extension not in (*TAR_SOUNDS, *_TEXTS):
                continue
            key = f"{folder}/{stem}" if folder else stem
            text = None
            if extension in _TEXTS:
                text = cast("IO[bytes]", tar.extractfile(member)).read(_LARGEST_TEXT)
            yield key, extension, member.offset_data, member.size, text
            # pyrefly: ignore[missing-attribute]  (typeshed does not know it)
            tar.members.clear()  # tarfile keeps all headers: a shard may have many
        _check_end(path, tar.offset)


def _check_end(path: Path, offset: int) -> None:
    """tarfile takes a damaged header for the end of the archive; the true end is a block of zeros."""
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE:
        raise EOFError("its end is missing")
    if any(block):
        raise tarfile.ReadError(f"no header at byte {offset}")


def _row(
    shard: str, key: str, sample: Mapping[str, Any], problem: str, validation_every: int
) -> dict[str, Any]:
    extension, offset, size = sample.get("sound", ("", 0, 0))
    found, fault = _described(sample)
    split = found.split or ("validation" if is_held_out(key, validation_every) else "train")
    return {
        "shard": shard,
        "key": key,
        "extension": extension,
        "offset": offset,
        "size": size,
        "caption": found.caption,
        "structured_caption": found.structured_caption,
        "labels": list(found.labels),
        "split": split,
        "problem": problem or fault or ("" if extension else "The sound is missing from the shard."),
    }


def _described(sample: Mapping[str, Any]) -> tuple[Description, str]:
    try:
        if "json" in sample:
            return describe(json.loads(sample["json"])), ""
        return describe(sample.get("txt", b"").decode()), ""
    except ValueError as error:  # no JSON, no UTF-8, no caption where one should be
        return Description(), f"The description can not be read ({error})."
