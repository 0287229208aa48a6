"""Engines: where groups of a sweep are trained."""
