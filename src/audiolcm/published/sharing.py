"""Models that come from the Hub, and go there or into a folder of their own."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, TypeVar

from audiolcm.errors import UserError
from audiolcm.published.sources import is_hub_name
from audiolcm.weights.artifacts import Artifact

Model = TypeVar("Model", bound="Shared")


class Shared(ABC):
    """What can be loaded by a name of the Hub, and shared with others."""

    _read_from: tuple[Artifact, Artifact] | None = None
    """Model and vocoder, to be exported; None of a model that was put together from parts."""

    @classmethod
    @abstractmethod
    def from_checkpoint(cls: type[Model], path: str | Path, **settings: Any) -> Model:
        """Load a model of this computer."""

    @classmethod
    def from_pretrained(
        cls: type[Model],
        place: str | Path,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        **settings: Any,
    ) -> Model:
        """Load what ``audiolcm export`` or ``push_to_hub`` made, or whatever else ``from_checkpoint`` loads.

        Args:
            place: a folder, a ``published:`` name, or a name of the Hub (``user/model``), whose files are downloaded
                once; never any that could run code.
            revision: of the Hub: a branch, a tag or a commit.
            token: of the Hub, for private models; None takes that of ``hf auth login``.
            cache_dir: where the Hub's files are kept; None takes Hugging Face's own folder.
            local_files_only: take the Hub's files from there alone.
            settings: vocoder, sampler, hardware, precision and the others of ``from_checkpoint``.

        Raises:
            UserError: see ``from_checkpoint``; or the Hub has no such model, or no network leads there.
        """
        if is_hub_name(place):
            from audiolcm.published.hub import fetch  # here: most models lie on this computer

            place = fetch(str(place), revision, token, cache_dir, local_files_only)
        return cls.from_checkpoint(place, **settings)

    def save_pretrained(
        self, folder: str | Path, name: str | None = None, half: bool = False, with_teacher: bool = False
    ) -> Path:
        """Write one self-contained folder that loads anywhere, and return it; see ``published.export.export``."""
        from audiolcm.published.export import export

        if self._read_from is None:
            raise UserError(
                "This model was put together from parts: only one that from_checkpoint or from_pretrained loaded knows "
                "the configurations and licenses that belong into its folder."
            )
        return export(*self._read_from, Path(folder), name, half, with_teacher)

    def push_to_hub(
        self,
        repo_id: str,
        private: bool = False,
        token: str | bool | None = None,
        commit_message: str = "Upload of a model of audiolcm",
    ) -> str:
        """Upload the folder of ``save_pretrained`` to the Hub, into a new or a known repository; returns its address.

        Raises:
            UserError: no network, no such right, or a name that the Hub does not take.
        """
        from audiolcm.published.hub import upload

        return upload(self.save_pretrained, repo_id, private, token, commit_message)
