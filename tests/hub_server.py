"""A hub of models on this computer: serves folders over the API that huggingface_hub speaks."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "a" * 40


class Hub(ThreadingHTTPServer):
    """Serves ``root/user/model`` as the model user/model; remembers the files that were asked for."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.root = root
        self.served: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    """One request: what a model is, which files it has, or a file."""

    server: Hub

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, with_content: bool) -> None:
        words = self.path.partition("?")[0].strip("/").split("/")
        is_api = words[:2] == ["api", "models"]
        user, model, kind, revision, *rest = (words[2:] if is_api else words) + [""] * 4
        folder = self.server.root / user / model
        if not folder.is_dir():
            self._send(b"{}", 401, {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", COMMIT):
            self._send(b"{}", 404, {"X-Error-Code": "RevisionNotFound"})
        elif is_api:
            files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            content = (
                self._tree(folder, files) if kind == "tree" else self._info(f"{user}/{model}", folder, files)
            )
            self._send(json.dumps(content).encode(), 200, {})
        else:
            name = "/".join(rest).strip("/")
            content = (folder / name).read_bytes()
            if with_content:
                self.server.served.append(name)
            digest = hashlib.sha1(content).hexdigest()
            self._send(content, 200, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT}, with_content)

    @staticmethod
    def _info(name: str, folder: Path, files: list[Path]) -> dict[str, Any]:
        siblings = [{"rfilename": str(path.relative_to(folder))} for path in files]
        return {
            "id": name,
            "modelId": name,
            "sha": COMMIT,
            "private": False,
            "siblings": siblings,
            "tags": [],
        }

    @staticmethod
    def _tree(folder: Path, files: list[Path]) -> list[dict[str, Any]]:
        return [
            {
                "type": "file",
                "path": str(path.relative_to(folder)),
                "size": path.stat().st_size,
                "oid": hashlib.sha1(path.read_bytes()).hexdigest(),
            }
            for path in files
        ]

    def _send(self, content: bytes, status: int, headers: dict[str, str], with_content: bool = True) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)
