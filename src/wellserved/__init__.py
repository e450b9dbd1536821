"""wellserved: service numbers you can stand behind."""

import os

# Arrow may keep freed memory for ten seconds, not for one: a fold takes and frees the same gigabyte again and again, and
# a fifteenth of its time went into pages that had just been given back. It has to be said before Arrow is loaded.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10000")

__version__ = "0.2.0"
