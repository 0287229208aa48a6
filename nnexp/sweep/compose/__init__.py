"""From a command line to the jobs of a sweep."""
