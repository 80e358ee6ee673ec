"""What entry points settle before they begin.

A user without a home or a name, as containers give numbers only, works as any other; Hydra 1.3's command line works on
Python 3.14, whose argparse looks into every help text when it is added.
"""

import argparse
import getpass
import os
import sys
import tempfile
from pathlib import Path

from audiolcm.environment.terminal import complain


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
