"""Sweeps: many runs composed, trained and recorded as one computation."""
