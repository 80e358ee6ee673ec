"""Hydra 1.3's command line on Python 3.14, whose argparse looks into every help text when it is added."""

import argparse
import sys


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
