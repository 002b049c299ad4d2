"""The tasks: search spaces, objectives and training lengths, as the two papers give them."""
