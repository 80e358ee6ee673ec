"""Evaluation of sound made by any system: protocols, features, metrics, reports."""

import audiolcm  # noqa: F401  (which finds modules by the names that they had in earlier versions)
