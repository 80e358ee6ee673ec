"""How fast the package is: what ``python -m benchmarks`` measures, writes and renders (``docs/performance.md``)."""
