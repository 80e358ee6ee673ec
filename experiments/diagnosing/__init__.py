"""Where a model loses quality: ``python -m experiments diagnose``."""
