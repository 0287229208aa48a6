"""The pages of an experiment in MLflow's UI."""

from __future__ import annotations

from nnexp.tracking import locations


class Pages:
    """Addresses of the experiment with the id ``experiment_id`` in the store at ``uri``."""

    def __init__(self, uri: str, experiment: str, experiment_id: str) -> None:
        self.uri, self.experiment, self.experiment_id = uri, experiment, experiment_id

    def run_url(self, run_id: str) -> str:
        """The address of a run's page."""
        return locations.run_url(self.uri, self.experiment_id, run_id)

    def experiment_url(self) -> str:
        """The address of the table of runs."""
        return locations.experiment_url(self.uri, self.experiment_id)

    def sweep_url(self, sweep_id: str) -> str:
        """The address of the charts of one sweep's runs."""
        return locations.sweep_url(self.uri, self.experiment_id, sweep_id)

    def ui_command(self) -> str:
        """The command that serves these pages, or the server's address."""
        return locations.ui_command(self.uri)
