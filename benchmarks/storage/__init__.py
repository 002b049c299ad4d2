"""What is kept of runs: folders, archives, and `Results`, which is all that anybody concludes from."""
