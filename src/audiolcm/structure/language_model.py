"""Structured captions by a language model behind an OpenAI-compatible server, asked only when people name one."""

import concurrent.futures
import hashlib
import json
import logging
import os
import re
import threading
from pathlib import Path
from typing import Protocol, runtime_checkable

from audiolcm.data.manifest import fallback_structure
from audiolcm.errors import UserError
from audiolcm.storage.files import appending
from audiolcm.storage.plain_data import parse_json
from audiolcm.structure.captions import clean, parse_strictly, structured
from audiolcm.structure.chat import KEY_VARIABLE, Chat

log = logging.getLogger(__name__)

_WORKERS = 4
_TAG = re.compile(r"& \w+>")
_SYSTEM = """You turn the caption of a sound recording into a structured caption.
List every sound that is heard, in the order of time, as <event& tag>, joined by @ without blanks around it.
An event is a few words: what sounds, and how. The tag says when it is heard:
all - through the whole recording; start - at its beginning; mid - in its middle; end - at its end.
Add no sound that the caption does not name. Use no <, >, @ or & inside an event.
Answer with the structured caption alone, on one line."""
_EXAMPLES = (
    (
        "Rain patters on a roof while somebody hums, then a kettle whistles",
        "<rain pattering on roof& all>@<person humming& start>@<kettle whistling& end>",
    ),
    (
        "A coin drops into a machine, gears turn for a moment and a small bell rings",
        "<coin dropping& start>@<gears turning& mid>@<small bell ringing& end>",
    ),
    ("Steady traffic with the occasional horn", "<steady traffic& all>@<occasional horn& mid>"),
)


@runtime_checkable
class Structurer(Protocol):
    """Whatever turns captions into structured captions."""

    def __call__(self, captions: list[str]) -> list[str]:
        """Return one structured caption for each caption, in order."""


class OpenAICompatible:
    """Asks a language model, several captions at a time.

    An answer that does not keep the grammar is replaced by ``<caption& all>``; a warning says how many were.
    """

    def __init__(self, chat: Chat, model: str, answers: Path | None = None) -> None:
        self._chat = chat
        self._model = model
        self._answers = Answers(answers)

    @classmethod
    def from_environment(cls, endpoint: str, model: str, answers: Path | None = None) -> "OpenAICompatible":
        """Take the key from ``OPENAI_API_KEY``, if it is set.

        Args:
            endpoint: what comes before ``/chat/completions``, such as ``http://localhost:8000/v1``.
            model: the model's name on that server.
            answers: a file that keeps each answer as it comes; what it holds is not asked again.
        """
        key = os.environ.get(KEY_VARIABLE, "").strip()
        return cls(Chat(endpoint, key or None), model, answers)

    def __call__(self, captions: list[str]) -> list[str]:
        """Return one structured caption for each caption, in order; raises UserError when the server fails."""
        cleaned = [clean(caption) for caption in captions]
        self._ask_all(list(dict.fromkeys(cleaned)))
        results, replaced = [], []
        for caption in cleaned:
            try:
                results.append(_checked(self._answers.get(self._request(caption)) or ""))
            except UserError:
                results.append(fallback_structure(caption))
                replaced.append(caption)
        if replaced:
            log.warning(
                "%d of %d answers of %s were no structured caption and became <caption& all>; the first is that to %r.",
                len(replaced), len(captions), self._model, replaced[0],
            )  # fmt: skip
        return results

    def _ask_all(self, captions: list[str]) -> None:
        missing = [caption for caption in captions if self._answers.get(self._request(caption)) is None]
        if len(missing) < len(captions):
            log.info("%d of %d captions were answered before.", len(captions) - len(missing), len(captions))
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            asked = {pool.submit(self._chat.ask, self._question(text), stop): text for text in missing}
            try:
                for done in concurrent.futures.as_completed(asked):
                    self._answers.add(self._request(asked[done]), asked[done], done.result())
            except BaseException:  # also Ctrl-C: nobody waits for answers that nobody reads
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _question(self, caption: str) -> dict[str, object]:
        messages = [{"role": "system", "content": _SYSTEM}]
        for example, answer in _EXAMPLES:
            messages += [{"role": "user", "content": example}, {"role": "assistant", "content": answer}]
        messages.append({"role": "user", "content": caption})
        return {"model": self._model, "temperature": 0, "messages": messages}

    def _request(self, caption: str) -> str:
        asked = json.dumps([self._chat.endpoint, self._question(caption)])
        return hashlib.sha256(asked.encode()).hexdigest()


def _checked(answer: str) -> str:
    """Return the answer with its tags in small letters; raises UserError when it does not keep the grammar."""
    answer = _TAG.sub(lambda tag: tag[0].lower(), answer.strip())
    return structured(parse_strictly(answer))


class Answers:
    """The answers in a file of JSON lines, by the digest of what was asked; None keeps them in memory only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        if path is not None and path.exists():
            self._read(path)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, request: str) -> str | None:
        """Return the answer to a request, None when it is not there yet."""
        return self._known.get(request)

    def add(self, request: str, caption: str, answer: str) -> None:
        """Keep an answer: it is in the file when this returns."""
        self._known[request] = answer
        line = json.dumps({"request": request, "caption": caption, "answer": answer}, ensure_ascii=False)
        with appending(self._path) as append:
            append(line + "\n")

    def _read(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror}): remove it, or choose another -o."
            ) from error
        torn = 0
        for line in text.split("\n"):
            try:
                if line:
                    entry = parse_json(line)
                    if type(entry["answer"]) is not str:
                        raise ValueError("an answer is a text")
                    self._known[str(entry["request"])] = entry["answer"]
            except (ValueError, KeyError, TypeError):
                torn += 1
        if torn:
            log.warning("%d lines of %s are damaged; their captions are asked again.", torn, path)
        if text and not text.endswith("\n"):
            with appending(path) as append:
                append("\n")
