"""What results are cited by, and whether they come out again."""
