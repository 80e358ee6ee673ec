"""AudioLCM: few-step text-to-audio generation by guided latent consistency distillation."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiolcm.pipeline import AudioLCM

__all__ = ["AudioLCM"]


def __getattr__(name: str) -> object:
    """Import the pipeline on first use, so that ``--help`` does not wait for torch."""
    if name == "AudioLCM":
        from audiolcm.environment.guard import explained

        with explained():
            from audiolcm.pipeline import AudioLCM

        return AudioLCM
    raise AttributeError(f"module 'audiolcm' has no attribute {name!r}")
