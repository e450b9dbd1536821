"""Benchmarks: python -m bench [import] [measures] [report]; ratios of runs made in one go."""

import time

import wellserved as wellserved  # before Arrow is loaded, as in every command: it says when memory is given back


def pace() -> float:
    """Milliseconds of a plain loop of 100,000 additions: what others on these cores leave."""
    before = time.process_time()
    sum(number for number in range(100_000))
    return (time.process_time() - before) * 1_000
