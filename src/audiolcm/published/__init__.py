"""The released AudioLCM and Make-An-Audio 2 checkpoints: their layout, and how they become artifacts of ours."""
