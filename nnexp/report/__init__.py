"""The report of a sweep: which method is better and why, in one self-contained HTML file.

``material`` reads a sweep, ``page`` renders it, ``paper`` makes its table; ``python -m nnexp.report`` does all.
"""
