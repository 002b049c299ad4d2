"""Many trainings of one shape at once: a small network alone leaves most of a GPU idle."""
