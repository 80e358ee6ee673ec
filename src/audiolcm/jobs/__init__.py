"""A job from its configuration to its result: what is refused first, what was done before, the work, the preview."""
