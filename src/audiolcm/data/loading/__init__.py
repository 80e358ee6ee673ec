"""From prepared data to batches for training: mels, cached latents and text features."""
