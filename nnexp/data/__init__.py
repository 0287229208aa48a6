"""Datasets, mini-batches, and the streams of chance that they are drawn from."""
