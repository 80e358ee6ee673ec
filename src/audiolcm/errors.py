"""The one exception whose message is meant for the person at the keyboard."""


class UserError(Exception):
    """A mistake that a user can correct.

    The message says what is wrong, where (file, row, key) and what to type next. Entry points print it
    without a stack trace and exit with code 1; everything else that is raised is a defect of ours.
    """
