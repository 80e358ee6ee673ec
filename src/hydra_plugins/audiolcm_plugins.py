"""Where Hydra looks for launchers and sweepers; what they do is in ``audiolcm.sweeps``.

A namespace package: this folder must have no ``__init__.py``, other plugins have the same one.
"""

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from audiolcm.sweeps.local_launcher import OneByOne
from audiolcm.sweeps.row_sweeper import RowSweeper
from audiolcm.sweeps.slurm.launcher import SweepLauncher


class LocalLauncher(OneByOne):
    """Runs the jobs of a sweep one after the other on this machine."""


class SlurmLauncher(SweepLauncher):
    """Submits a sweep to SLURM; conf/hydra/launcher/submitit_slurm.yaml tells of its settings."""


class RowsSweeper(RowSweeper):
    """Runs the rows of a table of the paper; conf/experiment says which."""


def register_launchers() -> None:
    """Make our launchers known to Hydra; to be called before ``hydra.main`` runs."""
    for launcher in (LocalLauncher, SlurmLauncher):
        Plugins.instance().register(launcher)  # Hydra's own search may not see editable installations
    options = ConfigStore.instance()
    options.store("basic", {"_target_": f"{__name__}.LocalLauncher"}, "hydra/launcher")
    # The plugin's own option of that name would be taken for the schema of ours.
    options.repo["hydra"]["launcher"].pop("submitit_slurm.yaml", None)
