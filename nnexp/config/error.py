"""The error of a bad setting."""


class ConfigError(ValueError):
    """An invalid setting: one line with the setting, its value and what is allowed."""


class OutsideModule(ConfigError):
    """A setting names a module outside nnexp that the command did not allow to be imported."""
