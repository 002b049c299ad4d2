"""Who is best under a budget, and how sure that is."""
