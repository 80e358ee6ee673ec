"""Embedded procedural music: captioned tunes that need no download."""

from audiolcm.data.tunes.corpus import GENERATOR_VERSION, FoleyMusicCorpus

__all__ = ["GENERATOR_VERSION", "FoleyMusicCorpus"]
