"""One reader a data set, and what they share: class folders and subject tables."""
