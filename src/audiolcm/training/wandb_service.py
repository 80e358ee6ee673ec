"""Weights & Biases seen from outside: is there a key, does the server answer, and a thread that keeps it at a distance.

No fault of that service or of the network ends a training or makes it wait: ``metrics.jsonl`` holds every figure.
"""

import base64
import http.client
import json
import netrc
import os
import queue
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from audiolcm.errors import UserError
from audiolcm.storage.plain_data import parse_json
from audiolcm.weights.deadline import within

ANSWER_SECONDS = 10.0
_LONGEST_ANSWER = 1 << 20  # bytes
_WAITING_CALLS = 10_000
_LOG_IN = "Log in with `wandb login`, or type logger=wandb_offline or logger=jsonl."
_QUESTION = json.dumps({"query": "query Viewer { viewer { id } }"}).encode()


class NoAnswer(Exception):
    """The server can not be reached, or answers nothing that W&B would."""


def check_server(seconds: float = ANSWER_SECONDS) -> None:
    """Return when the server of ``$WANDB_BASE_URL`` (by default wandb.ai) knows the user's key.

    Args:
        seconds: how long to wait for an answer.

    Raises:
        UserError: there is no key, or the server does not know it.
        NoAnswer: the network or the server is at fault.
    """
    import wandb  # a second of import that runs without it should not pay

    server = str(wandb.setup().settings.base_url)
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return  # a token instead of a key: only W&B itself can check it
    key = os.environ.get("WANDB_API_KEY") or _kept_key(server)
    if not key:
        raise UserError(f"There is no key for Weights & Biases at {server}. {_LOG_IN}")
    user = base64.b64encode(f"api:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {user}", "Content-Type": "application/json"}
    try:
        request = urllib.request.Request(f"{server}/graphql", _QUESTION, headers)
        answer = parse_json(within(seconds, lambda: _answer_to(request, seconds)))
        known = answer["data"]["viewer"]
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403):
            raise NoAnswer(f"{server} answers {error.code} {error.reason}") from error
        known = None
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise NoAnswer(f"{server} can not be reached: {error or type(error).__name__}") from error
    if known is None:
        raise UserError(f"Weights & Biases at {server} does not know this key. {_LOG_IN}")


def _answer_to(request: urllib.request.Request, seconds: float) -> bytes:
    with urllib.request.urlopen(request, timeout=seconds) as response:
        return response.read(_LONGEST_ANSWER)  # one that is cut off is none


def has_key() -> bool:
    """Return whether a key or a token is here, without asking the server or importing wandb."""
    server = os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")
    variables = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
    return any(os.environ.get(name) for name in variables) or _kept_key(server) is not None


def _kept_key(server: str) -> str | None:
    """Return the key that ``wandb login`` left in the file of passwords."""
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc").expanduser()
    try:
        found = netrc.netrc(str(file)).authenticators(urlsplit(server).netloc)
    except (OSError, netrc.NetrcParseError):
        return None
    return found[2] if found else None


class Background:
    """Calls made in order in a thread of their own, so that one that hangs or fails stops nobody.

    Attributes:
        trouble: the first that went wrong, in words; None while all is well. After it nothing is called any more.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._calls: queue.Queue[Callable[[], object] | None] = queue.Queue(_WAITING_CALLS)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def send(self, call: Callable[[], object]) -> None:
        """Have ``call`` made when its turn comes."""
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self.trouble = self.trouble or "it takes no more figures"

    def close(self, seconds: float) -> None:
        """Wait for the calls made so far, at most so long."""
        try:
            self._calls.put(None, timeout=seconds)
        except queue.Full:
            self.trouble = self.trouble or "it takes no more figures"
            return
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.trouble = self.trouble or f"it did not answer within {seconds:.0f} s"

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if self.trouble:
                continue
            try:
                call()
            except Exception as error:  # noqa: BLE001 (whatever breaks there, the training goes on)
                self.trouble = f"{type(error).__name__}: {error}".rstrip(": ")


def end_service() -> None:
    """End W&B's own process after a trouble: broken it would fail the next run, stopped it would block our exit."""
    import wandb

    for pid in _service_processes():
        os.kill(pid, signal.SIGKILL)
    ending = Background()
    ending.send(wandb.teardown)
    ending.close(ANSWER_SECONDS)


def _service_processes() -> list[int]:
    """Return the ids of this process's children that are W&B's service (found where there is a /proc)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        state, parent = rest.split()[:2]
        if name.startswith("wandb-core") and int(parent) == os.getpid() and state not in "ZX":
            found.append(int(stat.parent.name))
    return found
