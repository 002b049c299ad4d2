"""How a step is taken: losses, optimizers, and the step itself, by hand or as a CUDA graph."""
