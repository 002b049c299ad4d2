"""What answers a proposal: live training or a published response surface."""
