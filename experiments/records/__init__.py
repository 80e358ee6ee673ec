"""Committed results: what a record holds, read from files that anyone may have edited."""
