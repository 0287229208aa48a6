"""Settings: what a part may be set to, the whole config, and where its files are."""
