"""Sizes before training: parameters and hyper-parameters, and the memory of a step by a simulation without weights."""
