"""What networks hear in a sound: one extractor a network, and the store that remembers their answers."""
