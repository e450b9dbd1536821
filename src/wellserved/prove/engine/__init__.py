"""The statistics of a proof: a series with lasting noise, its design, and what changed in it. It knows no verdicts."""
