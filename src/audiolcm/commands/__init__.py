"""The commands of ``audiolcm``, and how their options are read."""
