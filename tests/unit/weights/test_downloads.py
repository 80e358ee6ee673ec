"""Downloads against a server that hangs, breaks off, is busy or has no such file: bounded, resumed, one message."""

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from audiolcm.errors import UserError
from audiolcm.weights import files
from audiolcm.weights.files import WeightsFile, obtain

CONTENT = bytes(range(256)) * 4000


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT, each request by the next of ``plan``: a status code, "hang", "break" or "whole"."""

    daemon_threads = True
    plan: list[str]
    ranges: list[str | None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        step = self.server.plan.pop(0) if self.server.plan else "whole"
        if step == "hang":
            time.sleep(30)
            return
        if step == "drip head":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            self.drip(b"x" * 600)
            return
        if step.isdigit():
            self.send_error(int(step))
            return
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if begin else 200)
        if step not in ("endless", "drip"):
            self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        rest = CONTENT[begin:] * (3 if step == "endless" else 1)
        if step == "drip":
            return self.drip(rest)
        self.wfile.write(rest[: len(rest) // 2] if step == "break" else rest)

    def drip(self, content: bytes) -> None:
        with suppress(ConnectionError):
            for byte in content[:600]:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(files, "_WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(files, "_TIMEOUT", 0.3)
    monkeypatch.setattr(files, "not_weights", lambda path: None)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    started = Server(("127.0.0.1", 0), Handler)
    started.plan, started.ranges = [], []
    thread = threading.Thread(target=started.serve_forever, daemon=True)
    thread.start()
    yield started
    started.shutdown()
    started.server_close()


def weights(server: Server) -> WeightsFile:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return WeightsFile(
        "toy", f"http://127.0.0.1:{server.server_port}/toy.pt", "toy.pt", "MIT", len(CONTENT), digest
    )


@pytest.mark.parametrize("plan", [["hang"], ["503", "429"], ["break", "break", "break", "break"]])
def test_what_passes_is_tried_again(server: Server, tmp_path: Path, plan: list[str]) -> None:
    server.plan = list(plan)
    found = obtain(weights(server), "x=PATH", folder=tmp_path)
    assert found.read_bytes() == CONTENT
    assert len(server.ranges) == len(plan) + 1
    assert not list(tmp_path.glob("*.partial"))


def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.plan = ["break"]
    obtain(weights(server), "x=PATH", folder=tmp_path)
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_missing_file_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.plan = ["404"]
    with pytest.raises(UserError, match="404") as told:
        obtain(weights(server), "x=PATH", folder=tmp_path)
    assert len(server.ranges) == 1
    assert str(tmp_path / "toy.pt") in str(told.value)
    assert "x=PATH" in str(told.value)


def test_a_server_that_never_answers_ends_in_one_message(server: Server, tmp_path: Path) -> None:
    server.plan = ["hang"] * 9
    with pytest.raises(UserError, match="timed out"):
        obtain(weights(server), "x=PATH", folder=tmp_path)
    assert len(server.ranges) == 4


@pytest.mark.parametrize("drip", ["drip", "drip head"])
def test_a_server_that_drips_is_as_one_that_never_answers(server: Server, tmp_path: Path, drip: str) -> None:
    server.plan = [drip] * 9
    began = time.monotonic()
    with pytest.raises(UserError, match="bytes a second came|timed out"):
        obtain(weights(server), "x=PATH", folder=tmp_path)
    assert len(server.ranges) == 4
    assert time.monotonic() - began < 15


def test_a_file_that_does_not_end_is_dropped_where_the_published_one_ends(
    server: Server, tmp_path: Path
) -> None:
    server.plan = ["endless"]
    with pytest.raises(UserError, match="more came than the 1,024,000 bytes"):
        obtain(weights(server), "x=PATH", folder=tmp_path)
    assert not list(tmp_path.glob("toy*"))


def test_without_a_network_nobody_waits(server: Server, tmp_path: Path) -> None:
    file = weights(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match="refused"):
        obtain(file, "x=PATH", folder=tmp_path)
    assert server.ranges == []


def test_a_mirror_of_the_hub_may_be_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    file = WeightsFile("toy", "https://huggingface.co/a/toy.pt", "toy.pt", "MIT", len(CONTENT), digest)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    assert obtain(file, "x=PATH", folder=tmp_path).read_bytes() == CONTENT
