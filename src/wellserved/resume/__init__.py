"""A résumé whose every number can be checked: a JSON Resume document, its bullets sealed by claims, in five forms."""
