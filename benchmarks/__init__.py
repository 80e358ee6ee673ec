"""Measurements of speed (``python -m benchmarks``), of memory and of the judges; each script says how it is called."""
