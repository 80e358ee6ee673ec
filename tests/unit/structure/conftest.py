"""A chat server on this machine whose answers a test chooses."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class ChatServer:
    """Answers with ``reply(caption)``: a text, or (status, body[, reason]); remembers what it was asked."""

    def __init__(self) -> None:
        self.reply: Callable[[str], str | tuple[int, str] | tuple[int, str, str]] = lambda caption: (
            f"<{caption}& ALL>"
        )
        self.asked: list[str] = []
        self.questions: list[dict[str, object]] = []
        self.keys: list[str | None] = []
        self.headers: dict[str, str] = {}
        self.pause = 0.0
        """Seconds between two bytes of an answer."""
        self.missing = 0
        """Bytes that an answer announces and does not have."""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                caption = question["messages"][-1]["content"]
                with chat._lock:
                    chat.asked.append(caption)
                    chat.questions.append(question | {"path": self.path})
                    chat.keys.append(self.headers["Authorization"])
                answer = chat.reply(caption)
                if isinstance(answer, str):
                    answer = 200, json.dumps({"choices": [{"message": {"content": answer}}]})
                body = answer[1].encode()
                self.send_response(answer[0], *answer[2:])
                for name, value in chat.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + chat.missing))
                self.end_headers()
                with suppress(ConnectionError):  # nobody waits for it any more
                    for byte in body if chat.pause else ():
                        self.wfile.write(bytes([byte]))
                        time.sleep(chat.pause)
                    self.wfile.write(b"" if chat.pause else body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    chat = ChatServer()
    yield chat
    chat.close()
