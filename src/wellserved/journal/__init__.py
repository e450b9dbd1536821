"""The private journal, in a database of its own. Nothing imports it but the pages, the command line and its sharing."""
