"""One page that says which method of a sweep is better, shows why, and travels as one file.

``material`` reads a sweep, ``page`` renders it, ``paper`` makes its table; ``python -m nnexp.report`` does all.
"""
