"""The error of a bad setting."""


class ConfigError(ValueError):
    """An invalid setting: one line with the setting, its value and what is allowed."""


class OutsideModule(ConfigError):
    """A setting that names a module outside nnexp which was not named as one that may be imported."""
