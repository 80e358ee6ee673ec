"""Where Hydra looks for launchers; this one is in ``audiolcm.local``. A namespace package, see ``audiolcm_slurm``."""

from audiolcm.local import OneByOne


class LocalLauncher(OneByOne):
    """Runs the jobs of a sweep one after the other on this machine."""
