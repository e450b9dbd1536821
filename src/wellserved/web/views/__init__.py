"""One module a part of the product; each view names by `required_permission` the permission that it needs."""
