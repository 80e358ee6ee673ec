"""AudioLCM: few-step text-to-audio generation by guided latent consistency distillation."""

from typing import TYPE_CHECKING

from audiolcm.moved import find_moved_modules

if TYPE_CHECKING:
    from audiolcm.pipeline import AudioLCM

    __version__: str

__all__ = ["AudioLCM", "__version__"]

find_moved_modules()


def __getattr__(name: str) -> object:
    """Import the pipeline on first use, so that ``--help`` does not wait for torch."""
    if name == "AudioLCM":
        from audiolcm.environment.guard import explained

        with explained():
            from audiolcm.pipeline import AudioLCM

        return AudioLCM
    if name == "__version__":
        from importlib.metadata import version

        return version("audiolcm")
    raise AttributeError(f"module 'audiolcm' has no attribute {name!r}")
