"""Where it is trained: devices, their memory, and the precision that they compute in."""
