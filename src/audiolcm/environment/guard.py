"""One sentence instead of a stack trace where the installed packages, or this Python, are at fault.

Entry points import this module first. So it imports the standard library, and of ours what does so too; its syntax is
one that Pythons which are too old for the rest can read.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from audiolcm.environment.terminal import complain
from audiolcm.errors import UserError

OLDEST_PYTHON = (3, 11)


class BrokenSet(UserError, ImportError):
    """A package is missing, damaged, or does not go with the others; the message says which and what to type."""


@contextmanager
def explained() -> Iterator[None]:
    """Raise ``BrokenSet`` in place of an error that installed packages are to blame for; other errors pass.

    It also serves as a decorator.
    """
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise BrokenSet(python_too_old())
    try:
        yield
    except Exception as error:
        broken = broken_set(error)
        if broken is None:
            raise
        raise broken from error


@contextmanager
def one_sentence() -> Iterator[None]:
    """Around the imports of an entry point: what ``explained`` raises is one message, and exit code 1; so is Ctrl-C.

    ``HYDRA_FULL_ERROR=1`` shows the stack trace before it.
    """
    try:
        with explained():
            yield
    except BrokenSet as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            traceback.print_exc()
        complain(f"{error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        stopped()


def stopped() -> None:
    """End the program as Ctrl-C does, in one line; where there is more to say of it, ``run_job`` does."""
    sys.stderr.write("Stopped.\n")
    sys.exit(130)


def python_too_old() -> str:
    """Return what to tell whoever runs this with a Python that is too old."""
    wanted, here = (".".join(map(str, v)) for v in (OLDEST_PYTHON, sys.version_info[:2]))
    return (
        f"AudioLCM needs Python {wanted} or newer; {sys.executable} is {here}. Make an environment with a newer one: "
        "`uv venv --python 3.13`, or `python3.13 -m venv .venv`."
    )


def broken_set(error: Exception) -> BrokenSet | None:
    """Return what to raise in place of an error; None where installed packages are not to blame for it."""
    try:
        from audiolcm.environment.failures import explain  # here: too much for an old Python
    except ModuleNotFoundError as missing:
        if missing.name != "packaging":
            raise
        return BrokenSet("The package packaging is not installed. Type `pip install packaging`.")
    sentence = explain(error)
    return None if sentence is None else BrokenSet(sentence)
