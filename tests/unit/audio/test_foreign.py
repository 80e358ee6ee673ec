"""What has the name of a sound and is something else: the message says what, and what to do."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from audiolcm.audio.io import read_audio, read_facts
from audiolcm.errors import UserError


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rain.wav", bytes(1000))
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 320044\n"
KINDS = {
    "empty": (b"", "is empty, 0 bytes"),
    "zeros": (bytes(5000), "nothing but zeros"),
    "page": (
        b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title>",
        "is a web page.*download it again",
    ),
    "page_of_spaces": (b"\xef\xbb\xbf\r\n  <html lang=en>\xc3\xa4", "is a web page.*download it again"),
    "page_cut_in_a_letter": (b"<html>" + b"a" * 505 + "ä".encode() + b"b", "is a web page"),
    "denied": (
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "XML or HTML.*download it again",
    ),
    "pointer": (LFS, "pointer of Git LFS.*git lfs pull"),
    "json": (b'{"error": "rate limit exceeded"}', "is JSON.*download it again"),
    "text": (
        "Zugriff verweigert, später mehr".encode(),
        'is text, not sound: "Zugriff verweigert, später mehr"',
    ),
    "zip": (_zip(), "is a ZIP archive: unpack it"),
    "gzip": (gzip.compress(b"RIFF"), "gzip: unpack it"),
    "tar": (b"rain.wav".ljust(257, b"\0") + b"ustar\x0000" + bytes(300), "is a tar archive"),
    "mp4": (b"\x00\x00\x00\x20ftypM4A " + bytes(500), "is MP4 .*ffmpeg"),
    "webm": (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01" + bytes(500), "is WebM or Matroska.*ffmpeg"),
    "wma": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(500), "is WMA.*ffmpeg"),
    "aac": (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(500), "is AAC.*ffmpeg"),
    "avi": (b"RIFF\x00\x10\x00\x00AVI LIST" + bytes(500), "is an AVI video.*ffmpeg"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(500), "is a PNG picture"),
}


@pytest.mark.parametrize(
    "name", [f"{kind}{suffix}" for kind in KINDS for suffix in (".wav", ".mp3", ".flac")]
)
def test_it_is_told_what_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content, said = KINDS[path.stem]
    path.write_bytes(content)
    for read in (read_audio, read_facts, lambda path: read_audio(path, None, content)):
        with pytest.raises(UserError, match=rf"{name} cannot be read: it .*{said}"):
            read(path)


@pytest.mark.parametrize("content", [b"\x8f\x01\x9c\x00" * 300, b"RIFF\x00\x10\x00\x00WAVEfmt "])
def test_what_is_not_known_keeps_the_reason_of_the_library(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "noise.wav").write_bytes(content)
    with pytest.raises(UserError, match=r"noise\.wav cannot be read: [A-Z].*\. Convert it to WAV or FLAC\."):
        read_audio(tmp_path / "noise.wav")
