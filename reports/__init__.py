"""What is concluded: anytime curves, statistics and the leaderboard."""
