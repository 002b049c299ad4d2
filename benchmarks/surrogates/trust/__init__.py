"""How far to trust a surrogate: what its card says."""
