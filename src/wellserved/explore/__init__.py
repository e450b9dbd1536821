"""What may be asked of a record without saying "improved": where things fail, what goes with what, when a series moved."""
