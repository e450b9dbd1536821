"""Sentences that a stranger can check: found by rule, never by hand, signed, and verified with one file and no network."""
