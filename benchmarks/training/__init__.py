"""Real training of both tasks, with PyTorch and torchvision."""
