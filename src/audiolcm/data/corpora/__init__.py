"""One class for every data set that is read from a folder."""

from audiolcm.data.corpora.audiocaps import AudioCaps
from audiolcm.data.corpora.clotho import Clotho
from audiolcm.data.corpora.esc import Esc10, Esc50
from audiolcm.data.corpora.manifest import ManifestCorpus
from audiolcm.data.corpora.musiccaps import MusicCaps
from audiolcm.data.corpora.wavcaps import WavCaps

__all__ = ["AudioCaps", "Clotho", "Esc10", "Esc50", "ManifestCorpus", "MusicCaps", "WavCaps"]
