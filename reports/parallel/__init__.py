"""What several workers cost and save."""
