"""Where Hydra looks for sweepers; this one is in ``audiolcm.rows``. A namespace package, see ``audiolcm_slurm``."""

from audiolcm.rows import Rows


class RowsSweeper(Rows):
    """Runs the rows of a table of the paper; conf/experiment says which."""
