"""Embedded procedural data set: captioned sounds that need no download."""

from audiolcm.data.foley.corpus import GENERATOR_VERSION, FoleyCorpus

__all__ = ["GENERATOR_VERSION", "FoleyCorpus"]
