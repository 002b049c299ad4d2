"""What strategies that train briefly share: rungs and brackets."""
