"""What a file is that has the name of a sound and is none, or none that libsndfile reads."""

import io
from pathlib import Path

_AGAIN = "as a download that failed leaves: download it again."
_CONVERT = 'Convert it to WAV or FLAC ("ffmpeg -i FILE sound.wav").'
_TEXTS = (
    (
        "version https://git-lfs",
        'it is a pointer of Git LFS, not the sound: type "git lfs pull" in its repository.',
    ),
    (("<!doctype html", "<html"), f"it is a web page, {_AGAIN}"),
    ("<", f"it is a page of XML or HTML, {_AGAIN}"),
    (("{", "["), f"it is JSON, {_AGAIN}"),
    ("#extm3u", "it is a playlist: download the sounds that it names."),
)
_BYTES = (
    (0, b"PK\x03\x04", "it is a ZIP archive: unpack it."),
    (0, b"\x1f\x8b", "it is compressed with gzip: unpack it."),
    (0, b"BZh", "it is compressed with bzip2: unpack it."),
    (0, b"\xfd7zXZ", "it is compressed with xz: unpack it."),
    (0, b"\x28\xb5\x2f\xfd", "it is compressed with zstd: unpack it."),
    (0, b"7z\xbc\xaf", "it is a 7z archive: unpack it."),
    (0, b"Rar!", "it is a RAR archive: unpack it."),
    (257, b"ustar", "it is a tar archive: unpack it, or read it by dataset=webdataset."),
    (4, b"ftyp", f"it is MP4 (M4A, MOV). {_CONVERT}"),
    (0, b"\x1aE\xdf\xa3", f"it is WebM or Matroska. {_CONVERT}"),
    (0, b"0&\xb2u", f"it is WMA or WMV. {_CONVERT}"),
    (0, b"#!AMR", f"it is AMR. {_CONVERT}"),
    (8, b"AVI ", f"it is an AVI video. {_CONVERT}"),
    (0, b"FLV", f"it is a Flash video. {_CONVERT}"),
    (0, (b"ADIF", b"\xff\xf1", b"\xff\xf9"), f"it is AAC. {_CONVERT}"),
    (0, b"\x0b\x77", f"it is AC-3. {_CONVERT}"),
    (0, b"MAC ", f"it is Monkey's Audio. {_CONVERT}"),
    (0, b"wvpk", f"it is WavPack. {_CONVERT}"),
    (0, b"MThd", "it is MIDI, notes without sound."),
    (0, b"%PDF", "it is a PDF."),
    (0, b"\x89PNG", "it is a PNG picture."),
    (0, b"\xff\xd8\xff", "it is a JPEG picture."),
    (0, b"GIF8", "it is a GIF picture."),
    (0, b"\x93NUMPY", "it is an array of NumPy: write it as WAV."),
    (0, b"PAR1", "it is a Parquet table."),
)
_START = 512
_SHOWN = 40  # signs of a text


def foreign_kind(path: Path, content: bytes | None = None) -> str:
    """Return what a file is that libsndfile does not read, and what to do about it; "" when it is not known."""
    with path.open("rb") if content is None else io.BytesIO(content) as file:
        start = file.read(_START)
    if not start:
        return "it is empty, 0 bytes: copy or download it again."
    if not start.strip(b"\0"):
        return "it begins with nothing but zeros, as a download or copy that broke off leaves: get it again."
    known = next((what for place, mark, what in _BYTES if start[place:].startswith(mark)), "")
    return known or _kind_of_text(start)


def _kind_of_text(start: bytes) -> str:
    text = start.decode("utf-8-sig", errors="replace").rstrip("\ufffd").strip()  # a letter may be cut in two
    if not text or not all(sign.isprintable() or sign.isspace() for sign in text) or "\ufffd" in text:
        return ""
    known = next((what for mark, what in _TEXTS if text.lower().startswith(mark)), "")
    return known or f'it is text, not sound: "{" ".join(text.split())[:_SHOWN]}".'
