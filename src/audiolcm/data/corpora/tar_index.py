"""The members of tar shards, found once and written down: which clip lies where.

A shard is read member by member, so that no more than one clip is in memory; the sounds, to be compared by their
SHA-256. Only sound, .json and .txt are ever looked at; a pickled member is skipped like any other unknown one.
"""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import pyarrow
from pyarrow import parquet
from tqdm import tqdm

from audiolcm.data.corpora.sidecar import Description, describe, joined
from audiolcm.data.locating import AUDIO_SUFFIXES, UNREADABLE_SUFFIXES, is_left_by_macos
from audiolcm.data.manifest import written_out
from audiolcm.data.splits import is_held_out
from audiolcm.storage.files import atomic_path
from audiolcm.storage.plain_data import parse_json

TAR_SOUNDS = tuple(suffix.removeprefix(".") for suffix in AUDIO_SUFFIXES)
_UNREADABLE = tuple(suffix.removeprefix(".") for suffix in UNREADABLE_SUFFIXES)
_TEXTS = ("json", "txt")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd
_LARGEST_TEXT = 1 << 20  # bytes: a description is no data set
INDEX_VERSION = 3
INDEX_SCHEMA = pyarrow.schema(
    [
        *((name, pyarrow.string()) for name in ("shard", "key", "extension")),
        *((name, pyarrow.int64()) for name in ("offset", "size")),
        *((name, pyarrow.string()) for name in ("digest", "caption", "structured_caption")),
        ("labels", pyarrow.list_(pyarrow.string())),
        ("split", pyarrow.string()),
        ("named", pyarrow.bool_()),
        ("once_lost", pyarrow.bool_()),
        ("problem", pyarrow.string()),
    ]
)


class _Member(NamedTuple):
    """A sound, which has no text, or a description: where it lies, SHA-256 of the one, content of the other."""

    key: str
    extension: str
    offset: int
    size: int
    digest: str
    text: bytes | None
    problem: str = ""


def write_index(path: Path, shards: Iterable[Path], root: Path, validation_every: int, state: str) -> None:
    """Write a Parquet table with a row for every clip, a row group for every shard, and ``state`` as its metadata."""
    schema = INDEX_SCHEMA.with_metadata({"state": state})
    bar = tqdm(list(shards), "index shards", unit="shard", delay=2.0)
    with (
        atomic_path(path) as temporary,
        parquet.ParquetWriter(temporary, schema, write_page_checksum=True) as writer,
    ):
        for shard in bar:
            rows = shard_rows(shard, shard.relative_to(root).as_posix(), validation_every)
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def shard_rows(path: Path, name: str, validation_every: int) -> list[dict[str, Any]]:
    """Return the clips of one shard, in order; of a damaged one none that is good, and a row at least that says so."""
    samples = _Samples()
    problem = _shard_problem(path)
    try:
        for member in () if problem else _members(path):
            samples.add(member)
    except (tarfile.TarError, OSError, EOFError) as error:
        problem = f"The shard {path} is damaged ({error}): copy it again."
    if not samples.by_key:
        samples.by_key[name] = {}
        problem = problem or f"The shard {path} holds no <key>.wav, .flac, .mp3, .ogg or other sound."
    return [
        _row(name, key, sample, problem, validation_every) for key, sample in _paired(samples.by_key).items()
    ]


def _shard_problem(path: Path) -> str:
    """Return why a file cannot be a shard, seen without reading it as one."""
    if not path.is_file():  # to open a pipe would wait for ever
        return f"The shard {path} is no regular file."
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(_COMPRESSED):
        return f"The shard {path} is compressed, so no clip in it has a place: unpack it to a plain .tar (gunzip)."
    return ""


class _Samples:
    """The members of a shard by key: the first sound and the first text of each kind; what repeats one is a bad row.

    A second sound of the same format, or further on in the shard, begins another sample of its key, whose texts are
    not those of the first.
    """

    def __init__(self) -> None:
        self.by_key: dict[str, dict[str, Any]] = {}
        self._ended: set[str] = set()
        self._last_key = ""

    def add(self, member: _Member) -> None:
        """Add the next member of the shard."""
        sample = self.by_key.setdefault(member.key, {})
        if member.text is None:
            self._add_sound(sample, member)
        elif member.key in self._ended:
            sample["repeated"] = True
        elif member.extension not in sample:
            sample[member.extension] = member.text
        elif member.text != sample[member.extension]:
            sample["repeated"] = True
            self._report(
                member, f"The shard has another .{member.extension} of this key, which is not the same."
            )
        self._last_key = member.key

    def _add_sound(self, sample: dict[str, Any], member: _Member) -> None:
        if "sound" not in sample:
            sample["sound"] = member
            return
        first = sample["sound"].extension
        if first == member.extension or member.key != self._last_key:
            self._ended.add(member.key)
        self._report(
            member, f"The shard has another sound of this key, .{first}: give each a key of its own."
        )

    def _report(self, member: _Member, problem: str) -> None:
        found = {"sound": member._replace(problem=problem)}
        if member.text is not None:
            found |= {member.extension: member.text}
        self.by_key[f"{member.key}.{member.extension} at {member.offset}"] = found


def _paired(samples: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the samples; a sound <key>.<any>.wav without a description has that of <key>, as webdataset names them."""
    paired, used = dict(samples), set()
    for key, sample in samples.items():
        base = _before_dot(key)
        if "sound" in sample and not _has_text(sample) and "sound" not in samples.get(base, {"sound": None}):
            paired[key] = samples[base] | sample
            used.add(base)
    return {key: sample for key, sample in paired.items() if key not in used}


def _has_text(sample: Mapping[str, Any]) -> bool:
    return any(extension in sample for extension in _TEXTS)


def _before_dot(key: str) -> str:
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"


def _members(path: Path) -> Iterator[_Member]:
    """Yield the sounds and descriptions: of rain.gutter.wav the key is rain.gutter."""
    size = path.stat().st_size
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            key, _, extension = member.name.removeprefix("./").rpartition(".")
            file_name, extension = key.rpartition("/")[2], extension.lower()
            if member.offset_data + member.size > size:
                raise EOFError("its end is missing")
            if member.isdir() or is_left_by_macos(file_name):
                continue
            if extension in (*TAR_SOUNDS, *_UNREADABLE, *_TEXTS):
                yield _read_member(tar, member, key, extension)
            # pyrefly: ignore[missing-attribute]  (typeshed does not know it)
            tar.members.clear()  # tarfile keeps all headers: a shard may have many
        _check_end(path, tar.offset)


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo, key: str, extension: str) -> _Member:
    found = _Member(key, extension, member.offset_data, member.size, "", None)
    if not member.isreg() or member.issparse():
        return found._replace(
            problem=f"{member.name} is a link or no plain file in the shard: store the sound itself."
        )
    with cast("IO[bytes]", tar.extractfile(member)) as file:
        if extension in _TEXTS:
            return found._replace(text=file.read(_LARGEST_TEXT + 1))
        if extension in _UNREADABLE:
            return found._replace(
                problem=f"Sound of the format .{extension} cannot be read: convert it, to .flac for one."
            )
        return found._replace(digest=hashlib.file_digest(cast("Any", file), "sha256").hexdigest())


def _check_end(path: Path, offset: int) -> None:
    """Refuse an archive that ends in no block of zeros: ``tarfile`` takes a damaged header for the end."""
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
    sound = sample.get("sound") or _Member(key, "", 0, 0, "", None, "The sound is missing from the shard.")
    descriptions, fault = _described(sample)
    found = joined(descriptions or [Description()])
    name, key = key, written_out(key)
    if name != key:
        fault = "The name of the member is no UTF-8."
    if not key.rpartition("/")[2]:
        fault = "The member has no name before its suffix."
    split = found.split or ("validation" if is_held_out(key, validation_every) else "train")
    return {
        "shard": shard,
        "key": key,
        **{name: getattr(sound, name) for name in ("extension", "offset", "size", "digest")},
        "caption": found.caption,
        "structured_caption": found.structured_caption,
        "labels": list(found.labels),
        "split": split,
        "named": bool(found.split),
        "once_lost": sound.extension == "aif"
        or "repeated" in sample
        or len(descriptions) > 1
        or ("sound" in sample and _before_dot(name) != name),
        "problem": problem or fault or sound.problem,
    }


def _described(sample: Mapping[str, Any]) -> tuple[list[Description], str]:
    """Return what the texts say, up to the first with a caption, and why one of them cannot be read."""
    found: list[Description] = []
    for extension in (one for one in _TEXTS if one in sample):
        text = sample[extension]
        if len(text) > _LARGEST_TEXT:
            return [], f"The description has more than {_LARGEST_TEXT:,} bytes."
        try:
            found.append(describe(parse_json(text) if extension == "json" else text.decode("utf-8-sig")))
        except ValueError as error:  # no JSON, no UTF-8, no caption where one should be
            return [], f"The description cannot be read ({error})."
        if found[-1].caption:
            break
    return found, ""
