"""The error of a bad setting."""


class ConfigError(ValueError):
    """An invalid setting: one line with the setting, its value and what is allowed."""
