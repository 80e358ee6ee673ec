"""Sweeps as jobs of SLURM: submission, shared parents, waiting, requeueing."""
