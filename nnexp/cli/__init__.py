"""The command line: help, jobs of a sweep, progress, the table at the end."""
