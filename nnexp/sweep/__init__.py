"""Sweeps: jobs composed, chosen by grids, launched together."""
