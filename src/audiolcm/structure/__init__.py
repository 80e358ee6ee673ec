"""Structured captions: which sounds a caption names, and when in the clip each is heard."""
