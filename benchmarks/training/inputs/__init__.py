"""What a network reads: views of images, features, and which images an epoch shows."""
