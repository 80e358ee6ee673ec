"""All that touches Weights & Biases: keys, its server, its process, runs, tables, uploads.

No fault of that service or of the network ends a training or makes it wait: ``metrics.jsonl`` holds every figure.
"""

import base64
import http.client
import json
import logging
import netrc
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from audiolcm.errors import UserError
from audiolcm.storage.plain_data import parse_json
from audiolcm.weights.deadline import Background, within

if TYPE_CHECKING:
    import numpy as np
    import wandb

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
FLUSH_SECONDS = 1.0  # what a killed process may lose of an offline run; W&B's own default is 15
UPLOAD_SECONDS = 900.0
NOT_UPLOADED = "not-uploaded.txt"
"""In the folder of an online run: W&B failed in it, ``python -m experiments sync`` uploads what is on disk."""
_LONGEST_ANSWER = 1 << 20  # bytes
_SERVICE = re.compile(r"(\d+) \(wandb-core.*\) [^ZX] (\d+) ", re.DOTALL)
_LOG_IN = "Log in with `wandb login`, or type logger=wandb_offline or logger=jsonl."
_QUESTION = json.dumps({"query": "query Viewer { viewer { id } }"}).encode()


class NoAnswer(Exception):
    """The server cannot be reached, or answers nothing that W&B would."""


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
        raise NoAnswer(f"{server} cannot be reached: {error or type(error).__name__}") from error
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


@dataclass
class WandbTracker:
    """Weights & Biases. No fault of the service or of the network ends a training or makes it wait.

    Args:
        mode: offline (no network, no key; ``python -m experiments sync`` uploads later) or online.
        group: what the runs of one sweep share; None for a run on its own.
        tags: words to find runs by.
        seconds: how long W&B may take to start, and to upload the rest at the end.
    """

    project: str = "audiolcm"
    mode: str = "offline"
    group: str | None = None
    tags: Sequence[str] = ()
    seconds: float = 30.0
    trouble: str | None = field(default=None, init=False)
    _run: Any = field(default=None, init=False)

    def check(self) -> None:
        """Refuse before anything is trained what the user has to repair: a mode, a missing or wrong key.

        A server that does not answer is no reason: ``start`` then goes on offline. Variables of W&B's that would ask
        for something else than the configuration does are named: it decides, so that a run's card tells the truth.
        """
        for name, setting in (("WANDB_MODE", "mode"), ("WANDB_PROJECT", "project")):
            asked, used = os.environ.get(name), getattr(self, setting)
            if asked and asked != used:
                log.warning(
                    "%s=%s of the environment is not followed: logger.%s=%s is.", name, asked, setting, used
                )
        if self.mode not in ("offline", "online"):
            raise UserError(f"logger.mode={self.mode}: choose offline or online, or logger=jsonl for no W&B.")
        if self.mode == "online":
            with suppress(NoAnswer):
                check_server()

    def start(self, folder: Path, name: str, identity: str, config: dict[str, object]) -> None:
        """Open the run whose id is the identity, so that a resumed stage goes on in the same run.

        ``name`` is ``<stage>/<rest>``; the stage is the kind of the run.
        """
        self._folder, self.trouble, self._used = folder, None, self.mode
        self._background = Background()
        if self.mode == "online":
            try:
                check_server()
                self._run = self._open("online", name, identity, config)
                return
            except Exception as error:  # noqa: BLE001 (whatever is wrong there now: the training must not die of it)
                self._complain(f"{error or type(error).__name__}")
                self._used = "offline"
                end_service()
        try:
            self._run = self._open("offline", name, identity, config)
        except Exception as error:  # noqa: BLE001
            self._run, self._used = None, "none"
            self._complain(f"{type(error).__name__}: {error}")

    def _open(
        self, mode: Literal["online", "offline"], name: str, identity: str, config: dict[str, object]
    ) -> Any:
        import wandb  # a second of import that runs without it should not pay

        settings = wandb.Settings(
            silent=True,
            console="off",
            init_timeout=self.seconds,
            finish_timeout=self.seconds,
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=FLUSH_SECONDS,
        )
        return wandb.init(
            project=self.project,
            mode=mode,
            id=identity,
            name=name,
            group=self.group,
            job_type=name.partition("/")[0],
            tags=list(self.tags),
            dir=str(self._folder),
            resume="allow",
            config=config,
            settings=settings,
        )

    def record(self, step: int, figures: dict[str, float]) -> None:
        """Log the figures under their step."""
        self.send(figures, step)

    def send(self, content: Mapping[str, object], step: int | None = None) -> None:
        """Log figures or tables; a trouble is told once, and what follows it is left out."""
        if self._run is None:
            return
        run = self._run
        self._background.send(lambda: run.log(dict(content), step=step))
        self._notice()

    def finish(self) -> None:
        """Flush and close, within ``seconds``."""
        if self._run is None:
            return
        self._background.send(self._run.finish)
        self._background.close(self.seconds + 5)
        self._notice()
        if self.trouble and self._used == "online":
            with suppress(OSError):
                (Path(self._run.dir).parent / NOT_UPLOADED).write_text(self.trouble)
        if self._background.trouble:
            end_service()
        self._run = None

    def _notice(self) -> None:
        if self._background.trouble and self.trouble is None:
            self._complain(self._background.trouble)

    def _complain(self, trouble: str) -> None:
        self.trouble = trouble
        log.warning(
            "Weights & Biases: %s. The run goes on without it. metrics.jsonl in %s holds all figures; what W&B kept "
            "on disk is uploaded by `python -m experiments sync %s`.",
            trouble.rstrip(". "), self._folder, self._folder,
        )  # fmt: skip

    def facts(self) -> dict[str, object]:
        """Return how the last run was logged, for a card: ``mode``, and ``trouble`` if there was one."""
        trouble = {"trouble": self.trouble} if self.trouble else {}
        return {"project": self.project, "group": self.group, "mode": self._used, **trouble}


def end_service() -> None:
    """End W&B's own process after a trouble: broken it would fail the next run, stopped it would block our exit."""
    import wandb

    for pid in service_processes():
        os.kill(pid, signal.SIGKILL)
    ending = Background()
    ending.send(wandb.teardown)
    ending.close(ANSWER_SECONDS)


def service_processes() -> list[int]:
    """Return the ids of this process's children that are W&B's service and alive (found where there is a /proc)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            service = _SERVICE.match(stat.read_text())
            if service and int(service[2]) == os.getpid():
                found.append(int(service[1]))
    return found


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> "wandb.Table":
    """Return a table for ``WandbTracker.send``."""
    import wandb

    return wandb.Table(columns=list(columns), data=[list(row) for row in rows])


def sound(waveform: "np.ndarray", sample_rate: int) -> "wandb.Audio":
    """Return a sound for a table, from a waveform (samples,)."""
    import wandb

    return wandb.Audio(waveform, sample_rate=sample_rate)


def picture(pixels: "np.ndarray | Path") -> "wandb.Image":
    """Return a picture for a table or a run, from pixels (height, width, 3) or a file."""
    import wandb

    return wandb.Image(str(pixels) if isinstance(pixels, Path) else pixels)


def upload(run: Path) -> str:
    """Upload the folder of a run by ``wandb sync``, which marks what is up; return what went wrong, or nothing."""
    command = [sys.executable, "-m", "wandb", "sync", "--include-online", str(run)]
    environment = os.environ | {"WANDB_DIR": str(run.parents[1])}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=UPLOAD_SECONDS, check=False
        )
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    except subprocess.TimeoutExpired:
        lines = [f"it took over {UPLOAD_SECONDS / 60:.0f} minutes"]
    return "" if any(run.glob("*.wandb.synced")) else (lines or ["wandb sync said nothing"])[-1]
