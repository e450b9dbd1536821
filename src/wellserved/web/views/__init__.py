"""One module a part of the product; each view says by `deed` what it is for."""
