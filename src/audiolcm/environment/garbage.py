"""Python's search for garbage, left out where there is none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage while a ``with`` block imports, nor later among what it made.

    All of that stays until the process ends, and with torch to import a tenth to a fifth of the time went into looking
    through it.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
