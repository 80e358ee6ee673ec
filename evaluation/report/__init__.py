"""The report of one evaluation: a single HTML page that needs neither network nor server."""

from evaluation.report.page import write_report

__all__ = ["write_report"]
