"""One question to a server of OpenAI's chat protocol: the standard library, limits, retries, clear errors.

The package ``openai`` would take over little of it: it limits neither the length nor the whole time of an answer,
sleeps between tries when nobody waits any more, tries again where nobody is there, and its HTTP library logs a server's
reason, which may hold the key.
"""

import http.client
import json
import logging
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from audiolcm.environment.terminal import CONTROL
from audiolcm.errors import UserError
from audiolcm.weights.deadline import within

log = logging.getLogger(__name__)

KEY_VARIABLE = "OPENAI_API_KEY"
_LONGEST_ANSWER = 1 << 20  # bytes
_LONGEST_WORDS = 200  # of a server, in a message
_LONGEST_WAIT = 60.0  # seconds
_TOO_MANY_REQUESTS = 429


class Stopped(Exception):
    """The wait for the next try was broken off from outside."""


@dataclass(frozen=True)
class Chat:
    """A server that answers ``POST <endpoint>/chat/completions``.

    timeout: seconds for a whole answer.  attempts: tries for each question when the server is busy or breaks off.
    first_wait: seconds before the second try; each further wait is twice as long.
    """

    endpoint: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 60.0
    attempts: int = 5
    first_wait: float = 1.0

    def __post_init__(self) -> None:
        example = "Type one such as http://localhost:8000/v1 or https://api.openai.com/v1."
        try:
            parts = urllib.parse.urlsplit(self.endpoint)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not self.endpoint.isascii() or any(sign.isspace() for sign in self.endpoint):
            raise UserError(f"--endpoint {self.endpoint} is no http or https address. {example}")
        if self.api_key and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise UserError(f"The key in {KEY_VARIABLE} holds signs that no key has: set it again.")

    def ask(self, question: Mapping[str, object], stop: threading.Event) -> str:
        """Return the text of the answer, "" when the server gave none; setting ``stop`` ends all waits.

        Raises:
            UserError: when the server refuses, cannot be reached, or answers something else than the protocol says.
            Stopped: when ``stop`` was set.
        """
        trouble = ""
        for attempt in range(1, self.attempts + 1):
            if stop.is_set():
                raise Stopped
            try:
                return self._text(self._post(question, stop))
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != _TOO_MANY_REQUESTS and error.code < 500:
                        raise self._refused(error) from error
                    trouble, wait = f"it answered {self._said(error)}", _retry_after(error)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                trouble, wait = self._told(str(reason)) or type(reason).__name__, 0.0
                if not isinstance(reason, TimeoutError | ConnectionResetError | http.client.HTTPException):
                    raise UserError(
                        f"--endpoint {self.endpoint} cannot be reached ({trouble}): is the address right, and the "
                        "server running?"
                    ) from error
            if attempt < self.attempts:
                wait = min(max(wait, self.first_wait * 2 ** (attempt - 1)), _LONGEST_WAIT)
                log.info("%s: %s; next try in %.3g s.", self.endpoint, trouble, wait)
                stop.wait(wait)
        raise UserError(
            f"--endpoint {self.endpoint} did not answer in {self.attempts} tries ({trouble}). Run the same command "
            "again later; with -o the answers so far are kept."
        )

    def _post(self, question: Mapping[str, object], stop: threading.Event) -> bytes:
        request = urllib.request.Request(
            self.endpoint.rstrip("/") + "/chat/completions",
            data=json.dumps(question).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "audiolcm"},
        )
        if self.api_key:
            request.add_unredirected_header("Authorization", f"Bearer {self.api_key}")

        def answer() -> bytes:
            with _opener().open(request, timeout=self.timeout) as response:
                body = response.read(_LONGEST_ANSWER + 1)
                if response.length and len(body) <= _LONGEST_ANSWER:
                    raise http.client.IncompleteRead(body, response.length)
                return body

        return within(self.timeout, answer, stop.is_set)

    def _refused(self, error: urllib.error.HTTPError) -> UserError:
        if error.code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            key = (
                f"the key in {KEY_VARIABLE} is not accepted" if self.api_key else f"{KEY_VARIABLE} is not set"
            )
            return UserError(
                f"--endpoint {self.endpoint} answered {error.code}: {key}. Type export {KEY_VARIABLE}=... with a "
                "key of this server, then the same command."
            )
        return UserError(
            f"--endpoint {self.endpoint} answered {self._said(error)}: check the address (what comes before "
            "/chat/completions) and --model."
        )

    def _said(self, error: urllib.error.HTTPError) -> str:
        return self._told(f"{error.code} {error.reason}")

    def _told(self, words: str) -> str:
        """Return words of a server for people: not many, and without the key, which it may send back."""
        hidden = words.replace(self.api_key, "...") if self.api_key else words
        return hidden[:_LONGEST_WORDS]

    def _text(self, body: bytes) -> str:
        """Return the text of an answer; "" for none, or one with signs that no text has, such as half a letter."""
        if len(body) > _LONGEST_ANSWER:
            raise UserError(
                f"--endpoint {self.endpoint} answers with more than {_LONGEST_ANSWER >> 20} MB: check --model."
            )
        try:
            text = json.loads(body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            start = self._told(body[:_LONGEST_ANSWER].decode("utf-8", errors="replace"))[:80]
            raise UserError(
                f"--endpoint {self.endpoint} does not answer as a chat server does, but {start!r}: check the address "
                "(what comes before /chat/completions)."
            ) from error
        return text if isinstance(text, str) and not CONTROL.search(text) else ""


def _opener() -> urllib.request.OpenerDirector:
    """Return what asks over http and https alone, and goes where nobody but the user sends it."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler,
        urllib.request.HTTPErrorProcessor, urllib.request.HTTPDefaultErrorHandler,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener


def _retry_after(error: urllib.error.HTTPError) -> float:
    """Seconds that the server asks to wait; 0 when it does not say, or gives a date."""
    seconds = error.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 0.0
