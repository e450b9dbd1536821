"""What customers are worth, when they decide, whether they still lean on us, and who may leave."""
