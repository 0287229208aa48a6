"""Sweeps: jobs composed from grids, launched in groups, resumed and recorded."""
