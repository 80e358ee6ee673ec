"""One sentence instead of a stack trace where the installed packages, or this Python, are at fault.

Entry points import this module first. So it imports the standard library, and of ours what does so too; its syntax is
one that Pythons which are too old for the rest can read.

They also settle their user with it: one without a home or a name, as containers give numbers only, works as any other.
"""

import argparse
import getpass
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def settle_user() -> None:
    """Set ``HOME`` and ``USER`` where the system knows neither: packages that keep caches fail without them.

    The home is then a folder among the temporary ones that only this user can enter, which is said. Whoever stands in
    a folder that was removed is told so, and the program ends with exit code 1.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        complain("The folder that this was started in was removed: type cd FOLDER, with one that is there.\n")
        sys.exit(1)
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(_own_folder())
        complain(
            f"No home folder is known: what is kept for later runs goes to {os.environ['HOME']}. Set HOME=FOLDER for "
            "another.\n"
        )
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["USER"] = f"user{os.getuid()}"


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"audiolcm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    is_ours = not folder.is_symlink() and facts.st_uid == os.getuid() and not facts.st_mode & 0o077
    return folder if is_ours else Path(tempfile.mkdtemp(prefix="audiolcm-"))


def allow_lazy_help() -> None:
    """Let argparse take the one help text of Hydra's that is no text yet but makes it when shown.

    Python 3.14 refuses it ("badly formed help string") before Hydra has read a word. Does nothing on older ones.
    """
    if sys.version_info < (3, 14):
        return
    expand = argparse.HelpFormatter._expand_help
    argparse.HelpFormatter._expand_help = lambda self, action: (
        expand(self, action) if action.help is None or isinstance(action.help, str) else str(action.help)
    )
