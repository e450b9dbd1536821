"""wellserved: service numbers you can stand behind."""

import os

# Arrow gives freed memory back after ten seconds, not after ten milliseconds: a fold takes and frees the same gigabyte
# again and again, and a fifteenth of its time went into pages that had just been given back.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10000")

__version__ = "0.1.0"
