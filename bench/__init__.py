"""Benchmarks: python -m bench [import] [measures] [report]; ratios of runs made in one go."""
