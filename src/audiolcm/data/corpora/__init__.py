"""One class for every data set that is read from a folder."""

from audiolcm.data.corpora.audiocaps import AudioCaps
from audiolcm.data.corpora.audioset import AudioSet
from audiolcm.data.corpora.captioned import LpMusicCaps, Macs, WavText5K
from audiolcm.data.corpora.clotho import Clotho
from audiolcm.data.corpora.esc import Esc10, Esc50
from audiolcm.data.corpora.labelled import Fsd50k, TutScenes, UrbanSound8K
from audiolcm.data.corpora.manifest import ManifestCorpus
from audiolcm.data.corpora.mix import Mix
from audiolcm.data.corpora.musiccaps import MusicCaps
from audiolcm.data.corpora.prepared import PreparedCorpus
from audiolcm.data.corpora.sidecar import SidecarCorpus
from audiolcm.data.corpora.wavcaps import WavCaps
from audiolcm.data.corpora.webdataset import WebDataset

__all__ = [
    "AudioCaps", "AudioSet", "Clotho", "Esc10", "Esc50", "Fsd50k", "LpMusicCaps", "Macs", "ManifestCorpus", "Mix",
    "MusicCaps", "PreparedCorpus", "SidecarCorpus", "TutScenes", "UrbanSound8K", "WavCaps", "WavText5K", "WebDataset",
]  # fmt: skip
