"""What ``train.py`` and ``evaluate.py`` begin with, before Hydra reads the command line."""

import sys

from audiolcm.configuration.plugins import import_from_here
from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.words import readable, respelled, rows_are_a_sweep
from audiolcm.environment import terminal
from audiolcm.environment.guard import allow_lazy_help, settle_user
from audiolcm.environment.interrupts import ignore_until_ready
from audiolcm.environment.memory import keep_memory
from hydra_plugins.audiolcm_plugins import register_launchers


def begin(script: str) -> None:
    """Make the process and Hydra ready, and the words of ``sys.argv`` such as Hydra reads them.

    Args:
        script: train or evaluate.
    """
    keep_memory()
    terminal.prepare()
    settle_user()
    ignore_until_ready()
    allow_lazy_help()
    import_from_here()
    register_resolvers()
    register_launchers()
    sys.argv = rows_are_a_sweep([sys.argv[0], *respelled(script, readable(sys.argv[1:]))])
