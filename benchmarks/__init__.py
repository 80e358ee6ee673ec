"""Measurements of speed, of memory and of the judges; each script says how it is called."""
