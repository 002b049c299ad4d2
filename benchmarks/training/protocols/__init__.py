"""What is trained: a task's images, its splits, and the training of a configuration on each."""
