"""Published weights: downloads that break, servers that lie, files that are not what they should be."""

import hashlib
import http.server
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from audiolcm.errors import UserError
from audiolcm.weights.files import WeightsFile
from audiolcm.weights.place import FOLDER_VARIABLE, weights_folder
from evaluation.features.weights import REGISTRY, obtain

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content`` at any path, in the way that ``mood`` says, and remembers the ranges asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.mood, self.ranges = CONTENT, "good", []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content, mood = self.server.content, self.server.mood
        wanted = self.headers["Range"]
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and mood != "no ranges" else 0
        if mood == "404":
            self.send_error(404)
        elif start and start >= len(content):
            self.send_error(416)
        else:
            self.send_response(206 if start else 200)
            self.send_header(
                "Content-Type", "text/html" if mood == "web page" else "application/octet-stream"
            )
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = len(content) // 2 if mood == "breaks" and not start else len(content)
            self.wfile.write(content[start:end])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def file(server: Server, monkeypatch: pytest.MonkeyPatch) -> WeightsFile:
    url = f"http://127.0.0.1:{server.server_port}/toy.pth"
    file = WeightsFile("toy", url, "toy.pth", "CC0", len(CONTENT), DIGEST)
    monkeypatch.setitem(REGISTRY, "toy", file)
    return file


def without(monkeypatch: pytest.MonkeyPatch, file: WeightsFile, size: int | None, digest: str | None) -> None:
    changed = WeightsFile(file.name, file.url, file.filename, file.license, size, digest)
    monkeypatch.setitem(REGISTRY, "toy", changed)


def test_file_is_downloaded_once(file: WeightsFile, server: Server, tmp_path: Path) -> None:
    path = obtain("toy", folder=tmp_path / "cache")
    assert path == tmp_path / "cache" / "toy.pth" and path.read_bytes() == CONTENT
    assert obtain("toy", folder=tmp_path / "cache") == path
    assert server.ranges == [None]
    assert {p.name for p in path.parent.iterdir()} == {"toy.pth"}


@pytest.mark.parametrize("known", [True, False], ids=["size and hash known", "unknown"])
def test_broken_download_goes_on_where_it_stopped(
    file: WeightsFile, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if not known:
        without(monkeypatch, file, None, None)
    monkeypatch.setattr("audiolcm.weights.files._WAITS", ())  # as if all tries had broken
    server.mood = "breaks"
    with pytest.raises(UserError, match="broke after 128,000 of 256,000 bytes"):
        obtain("toy", folder=tmp_path)
    assert not (tmp_path / "toy.pth").exists()
    server.mood = "good"
    assert obtain("toy", folder=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=128000-"]


def test_download_killed_before_its_end_was_named_needs_no_network(
    file: WeightsFile, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "toy.pth.partial").write_bytes(CONTENT)
    assert obtain("toy", folder=tmp_path).read_bytes() == CONTENT
    assert server.ranges == []


def test_partial_file_longer_than_the_file_is_brought_again(
    file: WeightsFile, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "toy.pth.partial").write_bytes(CONTENT + b"more")
    assert obtain("toy", folder=tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=256004-", None]


def test_server_without_ranges_sends_all_of_it(file: WeightsFile, server: Server, tmp_path: Path) -> None:
    (tmp_path / "toy.pth.partial").write_bytes(b"something else")
    server.mood = "no ranges"
    assert obtain("toy", folder=tmp_path).read_bytes() == CONTENT


def test_wrong_start_is_found_by_the_hash_and_dropped(
    file: WeightsFile, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "toy.pth.partial").write_bytes(b"x" * 1000)
    with pytest.raises(UserError, match="not the published file, its SHA-256 is"):
        obtain("toy", folder=tmp_path)
    assert obtain("toy", folder=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("mood", "content", "reason"),
    [
        ("404", CONTENT, "404"),
        ("web page", b"<html>log in</html>", "web page"),
        ("good", b"<!DOCTYPE html>" + CONTENT, "web page"),
        ("good", b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "pointer of Git LFS"),
        ("good", CONTENT[:-1], "255,999 bytes, not 256,000"),
        ("good", CONTENT[:-1] + b"x", "SHA-256"),
        ("good", b"", "empty"),
    ],
    ids=["404", "web page", "web page in disguise", "LFS pointer", "too short", "other content", "empty"],
)
def test_wrong_answer_is_one_message_that_says_what_to_do(
    file: WeightsFile, server: Server, tmp_path: Path, mood: str, content: bytes, reason: str
) -> None:
    server.mood, server.content = mood, content
    with pytest.raises(UserError) as caught:
        obtain("toy", folder=tmp_path, override="metrics.toy=PATH")
    message = str(caught.value)
    for part in ("weights toy", reason, file.url, str(tmp_path / "toy.pth"), "metrics.toy=PATH", "CC0"):
        assert part in message
    assert not (tmp_path / "toy.pth").exists()
    server.mood, server.content = "good", CONTENT
    assert obtain("toy", folder=tmp_path).read_bytes() == CONTENT


def test_web_page_does_not_cost_the_half_that_is_there(
    file: WeightsFile, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "toy.pth.partial").write_bytes(CONTENT[:5000])
    server.mood = "web page"
    with pytest.raises(UserError, match="web page"):
        obtain("toy", folder=tmp_path)
    assert (tmp_path / "toy.pth.partial").stat().st_size == 5000


def test_no_network_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setitem(REGISTRY, "toy", WeightsFile("toy", "http://127.0.0.1:9/t", "toy.pth", "CC0"))
    with pytest.raises(
        UserError, match=r"refused.*Download http://127.0.0.1:9/t .*features.toy.weights=PATH"
    ):
        obtain("toy", folder=tmp_path)


def test_two_jobs_download_once(
    file: WeightsFile, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Path] = []
    jobs = [threading.Thread(target=lambda: found.append(obtain("toy", folder=tmp_path))) for _ in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert found == [tmp_path / "toy.pth"] * 4 and server.ranges == [None]


def test_unwritable_cache_folder_is_named(file: WeightsFile, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(UserError, match="cache"):
        obtain("toy", folder=tmp_path / "cache")


@pytest.mark.parametrize("content", [CONTENT[:1000], CONTENT[::-1]], ids=["half", "other"])
def test_wrong_file_in_the_cache_is_refused(file: WeightsFile, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "toy.pth").write_bytes(content)
    with pytest.raises(
        UserError, match=r"toy.pth is not the published file of toy: .*Remove it. Download http"
    ):
        obtain("toy", folder=tmp_path)


def test_given_path_is_taken_and_another_content_is_said(
    file: WeightsFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mine.pth"
    path.write_bytes(CONTENT)
    with caplog.at_level(logging.WARNING):
        assert obtain("toy", str(path)) == path
        assert not caplog.records
        path.write_bytes(b"random weights")
        assert obtain("toy", str(path)) == path
    assert "mine.pth is not the published file of toy" in caplog.text


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "no file"), (b"", "empty"), (b"\n<html>", "web page"), (b"version https://git-lfs", "pointer")],
)
def test_given_path_without_weights_is_refused(
    file: WeightsFile, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "mine.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"mine.pth.*{reason}|{reason}.*mine.pth"):
        obtain("toy", str(path))


def test_unknown_name_lists_the_names(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"named `vgg`. Choose from: vggish, panns_16k, "):
        obtain("vgg", folder=tmp_path)


def test_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert weights_folder() == tmp_path / ".cache" / "audiolcm" / "weights"
    monkeypatch.setenv(FOLDER_VARIABLE, "~/elsewhere")
    assert weights_folder() == tmp_path / "elsewhere"
    assert weights_folder(tmp_path) == tmp_path


def test_registry_is_well_formed() -> None:
    assert len({file.filename for file in REGISTRY.values()}) == len(REGISTRY) == 12
    for name, file in REGISTRY.items():
        assert file.name == name and file.url.startswith("https://") and file.license
        assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16))
    vggish = REGISTRY["vggish"]
    assert vggish.sha256.startswith(vggish.filename.removesuffix(".pth").rpartition("-")[2]), (
        "torch.hub's convention"
    )


@pytest.mark.weights
@pytest.mark.parametrize("name", list(REGISTRY))
def test_published_file_is_what_the_registry_says(name: str) -> None:
    """Downloads up to 2.4 GB a file into the cache folder."""
    assert obtain(name).is_file()
