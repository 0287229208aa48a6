"""Pictures of one run, for its record."""
