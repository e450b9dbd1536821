"""One short function a deed, for the command line and the pages alike; each module holds those of one kind."""
