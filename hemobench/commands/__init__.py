"""The commands: short functions that read options, call the layers, and print."""
