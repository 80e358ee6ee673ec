"""Listening tests: a page (or Mechanical Turk task) that asks people, and the MOS-Q and MOS-F of what they answered.

``python -m evaluation.listening build`` and ``score``; docs/listening.md tells how.
"""
