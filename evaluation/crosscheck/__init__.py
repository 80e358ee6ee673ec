"""Figures beside those of the packages that published tables were made with: laion-clap and frechet-audio-distance.

Their public classes run end to end, in a process of their own, on the same files and with the same weights.
"""
