"""Preparing a data set: what is in it, a plan of its parts, the shards, the index that completes it, a report."""
