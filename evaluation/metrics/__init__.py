"""The formulas of the metrics: pure functions of arrays, no network, no files."""
