"""Training: runs alone and in groups, their rows and records."""
