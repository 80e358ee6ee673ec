"""Data that is prepared already: training starts at once, whatever the number of clips, without the original files."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audiolcm.data.manifest import Clip
from audiolcm.data.store.prepared import PreparedData
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests


class PreparedCorpus:
    """A folder that ``audiolcm prepare`` made, as it is: nothing is compared with the files that it was made from.

    A run on it has the identity of a run on the data set that was prepared.

    Args:
        folder: as ``audiolcm prepare`` reports it.
        duration: seconds of one training example.
    """

    name = "prepared"

    def __init__(self, folder: str | None = None, duration: float = 9.984) -> None:
        self.duration = duration
        self._folder = folder

    def prepared(self) -> PreparedData:
        """Return the prepared data.

        Raises:
            UserError: when the folder is not set or holds none.
        """
        if not self._folder:
            raise UserError(
                "dataset=prepared needs dataset.folder=FOLDER, one that `audiolcm prepare` has filled."
            )
        found = PreparedData.open(Path(self._folder).expanduser())
        return dataclasses.replace(found, duration=self.duration)

    def clips(self, split: str) -> Sequence[Clip]:
        """Return the usable clips of a split."""
        return self.prepared().open_split(split).clips

    def waveform(self, clip: Clip) -> np.ndarray:
        """Refuse: the sound of prepared data is read by its place, see ``PreparedSplit.waveform``."""
        raise UserError(f"{clip.name}: dataset=prepared keeps no files; give the original data set here.")

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the fingerprint of the prepared data."""
        return self.prepared().fingerprint
