"""What is trained: the papers' networks, backbones with ImageNet's weights, heads, micro networks."""
