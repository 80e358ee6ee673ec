"""Prepared data on disk: shards of sound and mels, tables of their rows, reading, and repair of what is damaged."""
