"""How much one seed's training differs from another's, and in what shape."""
