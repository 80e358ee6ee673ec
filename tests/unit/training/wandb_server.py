"""A local stand-in for the W&B server: it knows one key, takes what is sent, and can be made to fail."""

import base64
import gzip
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

KEY = "a" * 40
_VIEWER = {"id": "u", "entity": "me", "username": "me", "email": "a@b", "flags": "{}", "teams": {"edges": []}}
_PROJECT = {"id": "p", "name": "audiolcm", "entity": {"id": "e", "name": "me"}}


class WandbServer(http.server.ThreadingHTTPServer):
    """``mood``: good, hang, drip, deep, no HTTP, or a status code; ``upserts``: variables of runs."""

    daemon_threads = True
    mood = "good"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upserts: list[dict[str, object]] = []
        self.history: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: WandbServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if self.server.mood == "hang":
            time.sleep(60)
            return
        if self.server.mood == "no HTTP":
            self.wfile.write(b"SSH-2.0-x\r\n")
            return
        known = (
            self.headers.get("Authorization") == f"Basic {base64.b64encode(f'api:{KEY}'.encode()).decode()}"
        )
        code = int(self.server.mood) if self.server.mood.isdigit() else 200 if known else 401
        answer = self._answer(body) if code == 200 else {"errors": [{"message": "no"}]}
        text = b"[" * 200_000 if self.server.mood == "deep" else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.server.mood == "drip":
            with suppress(ConnectionError):
                for byte in text:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.3)
            return
        self.wfile.write(text)

    do_GET = do_PUT = do_POST

    def _answer(self, body: bytes) -> dict[str, object]:
        if self.path != "/graphql":
            files = json.loads(body or b"{}").get("files") or {}
            self.server.history += files.get("wandb-history.jsonl", {}).get("content", [])
            return {}
        question = json.loads(body)
        if "upsertBucket" in question["query"]:
            self.server.upserts.append(question["variables"])
            bucket = {
                "id": "b",
                "name": question["variables"].get("name"),
                "displayName": "x",
                "config": "{}",
            }
            bucket |= {"description": "", "sweepName": None, "project": _PROJECT, "historyLineCount": 0}
            return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
        if "createRunFiles" in question["query"]:
            return {"data": {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []}}}
        return {"data": {"viewer": _VIEWER, "model": None, "serverInfo": {"features": []}}}

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[WandbServer]:
    with WandbServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
