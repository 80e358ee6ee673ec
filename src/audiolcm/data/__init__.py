"""Captioned sound: corpora, their preparation, and batches for training."""
