"""The workspace on disk: one folder, its log, its monthly tables, and what is wrong with them."""
