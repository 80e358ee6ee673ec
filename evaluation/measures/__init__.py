"""The columns of a table: each joins a network that hears with a formula of ``evaluation.metrics``."""
