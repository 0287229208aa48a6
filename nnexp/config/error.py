"""The error of a bad setting."""


class ConfigError(ValueError):
    """An invalid setting: one line with the setting, its value and what is allowed."""


class OutsideModule(ConfigError):
    """A setting names a module outside nnexp that the command did not allow to be imported."""

    def __init__(self, described: str, module: str) -> None:
        top = module.partition(".")[0]
        super().__init__(
            f"{described}: module {top} is not part of nnexp and is not imported unless you allow it"
        )
        self.module = module

    @property
    def advice(self) -> str:
        """The message with the flag that allows it."""
        return f"{self}, with --trust {self.module}"
