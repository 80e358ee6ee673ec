"""What can be evaluated: our models, folders of sound made by anything, and the sounds that a figure must beat."""
