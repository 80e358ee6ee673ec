"""Sweeps on SLURM: a copy of the code, one submission for shared parents and one for each job, waiting for them."""
