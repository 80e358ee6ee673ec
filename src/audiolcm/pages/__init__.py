"""Pages of sounds and pictures that need neither network nor server: what all of them share, and the page of a run."""
