"""Evaluation of sound made by any system; for now, generating the sounds to evaluate."""
