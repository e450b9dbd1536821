"""Those who serve: how they are, how even their service is, and what their work is for. Nobody is singled out."""
