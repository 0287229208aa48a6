"""From the command line to the jobs of a sweep."""
