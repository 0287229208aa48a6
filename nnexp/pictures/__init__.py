"""Pictures of one run: what a run's record may draw."""
