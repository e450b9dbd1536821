"""One module a part of the product; each view names by `deed` the permission that it needs."""
