"""Where Hydra looks for launchers; the launcher itself is in ``audiolcm.cluster``.

A namespace package: this folder must have no ``__init__.py``, other plugins have the same one.
"""

from audiolcm.cluster.launcher import SweepLauncher


class SlurmLauncher(SweepLauncher):
    """Submits a sweep to SLURM; conf/hydra/launcher/submitit_slurm.yaml tells of its settings."""
