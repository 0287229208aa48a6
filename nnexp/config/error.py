"""The error of a bad setting."""


class ConfigError(ValueError):
    """A setting that cannot be: one line with the setting, its value and what is allowed."""
