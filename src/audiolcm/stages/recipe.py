"""The four stages of one configuration: autoencoder, vocoder, teacher, student.

Each property is a finished artifact. Asking for the student makes whatever is missing before it.
"""

from functools import cached_property

from audiolcm.models.autoencoder import Autoencoder
from audiolcm.stages import autoencoder, latents, student, teacher, vocoder
from audiolcm.stages.ingredients import Ingredients
from audiolcm.training.stage_runner import Data
from audiolcm.weights.artifacts import Artifact


class Recipe(Ingredients):
    """The stages of one resolved configuration."""

    @cached_property
    def autoencoder(self) -> Artifact:
        """Return the autoencoder."""
        return autoencoder.autoencoder(self, self._find_given_weights)

    @cached_property
    def vocoder(self) -> Artifact:
        """Return the vocoder."""
        return vocoder.vocoder(self, lambda: self.autoencoder)

    @cached_property
    def teacher(self) -> Artifact:
        """Return the teacher."""
        return teacher.given_teacher(self) or teacher.teacher(self, self.autoencoder, self.vocoder)

    @cached_property
    def student(self) -> Artifact:
        """Return the student."""
        ingredients = self.with_text_of(self.teacher)
        return student.student(ingredients, self.teacher, self.autoencoder, self.vocoder)

    def load_autoencoder(self) -> Autoencoder:
        """Return the trained autoencoder on the training device."""
        return autoencoder.load_autoencoder(self.autoencoder, self.runner.hardware.torch_device())

    def latents(self, stage: str) -> Data:
        """Return training and validation sets of ``stage``: cached latents with texts (see ``stages.latents``)."""
        ingredients = self.with_text_of(self.teacher) if stage == "student" and self.trains_text else self
        return latents.latents(ingredients, stage, self.autoencoder)

    def _find_given_weights(self) -> None:
        """Load what is not trained here, so that a missing file is refused before the first stage trains for days."""
        if not vocoder.is_trained(self):
            self.vocoder  # noqa: B018 (asking for it loads it)
        self.text_encoder  # noqa: B018
