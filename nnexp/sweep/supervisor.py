"""The work of a sweep, which has a parent run and can be resumed and extended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnexp.config.schema import Config
from nnexp.sweep import commands
from nnexp.sweep.checkpoints import notes
from nnexp.sweep.identity import KEY, sweep_key
from nnexp.sweep.longer import continue_longer
from nnexp.sweep.own_journal import beginning
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import View
from nnexp.sweep.work import Work
from nnexp.tracking import locations
from nnexp.tracking.claim import CLAIM
from nnexp.tracking.journal import ENTRY, Beginning
from nnexp.tracking.left import is_visible
from nnexp.tracking.left import left as left_journals
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.recorder import RunResult
from nnexp.tracking.source import Sources

if TYPE_CHECKING:
    from nnexp.sweep.batch import EngineChoice
    from nnexp.sweep.compose.job import Job
    from nnexp.sweep.recording.process import Recorder
    from nnexp.sweep.recording.spool import Spool
    from nnexp.sweep.resume import Earlier, Found


class SweepWork(Work):
    """A sweep's runs, below a parent run.

    Args:
        view: shows progress and the table.
        overrides: of the whole command.
        jobs: how many there will be.
        process: records jobs that are trained in groups; None: one is started for them.
    """

    def __init__(
        self,
        view: View,
        overrides: Sequence[str],
        jobs: int,
        process: Recorder | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        super().__init__(view, overrides, jobs, process, flags)
        self._looked, self.chosen, self._extends, self._only = False, None, False, False
        self._skipped = 0
        self._why: Counter[str] = Counter()
        self._earlier: Earlier | None = None
        self._sources = Sources()
        self.closing: list[str] = []  # lines that the command ends with
        self.checked: dict[tuple[str, ...], Job] = {}  # jobs that were checked before, by their overrides

    def find_earlier(self, config: Config) -> None:
        """Find, once, the sweep that ``sweep.resume`` means, before anything is written.

        Raises:
            StoreError: there is none, or a process still works on it.
        """
        if self._looked:
            return
        self._looked = True
        if config.sweep.resume is False and config.sweep.extend is None:
            return
        self._extends = config.sweep.extend is not None
        from nnexp.sweep.resume import AUTO, choose

        self._only = config.sweep.resume == AUTO
        if self._only:
            # Of two commands that start at once the second one finds the first one's sweep.
            self._own.look_alone(sweep_key(self.overrides, config.sweep), config.tracking.uri)
        experiment = config.tracking.experiment
        journals = left_journals(config.tracking.uri)
        file = locations.database(locations.resolve(config.tracking.uri))
        # No store is created only to be searched.
        store = None if file is not None and not file.exists() and not journals else self.store(config)
        self.chosen = choose(store, experiment, config.sweep, self.overrides, journals)
        if self.chosen is not None:
            self._own.known()

    def batch(
        self, jobs: Sequence[Trial], choice: EngineChoice, place: Path, composing: float, wait: bool = True
    ) -> dict[int, RunResult]:
        """Train jobs as :meth:`Work.batch` does, and record their source with the parent run."""
        self._sources.note({job.code: job.config for job in jobs})
        try:
            return super().batch(jobs, choice, place, composing, wait)
        finally:
            # Those of a later batch's parts.
            self._sources.record(self._parent)

    def attach(self, folder: Path) -> None:
        """Record a folder's files with the parent run."""
        if self._parent is None:
            return
        try:
            self._parent.log_artifacts(folder)
        except Exception as error:
            self.view.say(f"{folder} could not be recorded with the sweep: {reason_of(error)}")

    def _follow(self, jobs: Sequence[Trial], spool: Spool) -> Recorder:
        """Let, once, the recording process follow the sweep's journal, whose first record describes the parent run.

        Raises:
            StoreError: the sweep to resume does not exist.
            OSError: the journal cannot be written.
        """
        if self._journal is not None:
            assert self._process is not None
            return self._process
        config, folder = jobs[0].config, spool.journal
        self.find_earlier(config)
        if self.chosen is not None:
            self._go_on_with(self.chosen, config, folder)
        elif self._only and not is_visible(folder, config.tracking.uri):
            # Commands in other folders do not see the journal.
            self.store(config).start_only_parent(KEY, *self._beginning(jobs[0], spool))
        process = super()._follow(jobs, spool)
        self._sources.record(self._parent)
        return process

    def _go_on_with(self, chosen: Any, config: Config, folder: Path) -> None:
        """Find the sweep to resume, which then belongs to this command."""
        from nnexp.sweep import resume

        self._home = store = self.store(config)
        earlier = resume.find(store, chosen, config.sweep, self.overrides, self.token, folder)
        self._earlier = earlier
        self.sweep_id = earlier.sweep_id
        if not earlier.same and not self._extends:
            added = "has other settings or another grid; the jobs of this command are added to it"
            self.view.say(f"sweep {self.sweep_id} {added}")
        for left in earlier.unfinished:
            resume.give_up(store, left)

    def _beginning(self, job: Trial, spool: Spool) -> Beginning:
        if self._earlier is None:
            own = self.sweep_id, self.token, self.overrides, self.jobs, self._started
            return beginning(job.config, spool.journal, *own)
        parent = self._earlier.parent
        tags = {key: text for key, text in parent.data.tags.items() if key.startswith("nnexp.")}
        tags[CLAIM] = self.token
        started = int(parent.info.start_time)
        return Beginning(str(parent.info.run_name), dict(parent.data.params), tags, started)

    def _tags(self, spool: Spool) -> dict[str, str]:
        return {"nnexp.sweep_id": self.sweep_id, ENTRY: self.token}

    def _files(self, jobs: Sequence[Trial]) -> dict[str, bytes]:
        """None: the parent run has the source of all."""
        return {}

    def _goes_on(self, jobs: Sequence[Trial], checkpoints: Path) -> list[str]:
        # Not one line for each of jobs that are trained one by one.
        if self._skipped + len(jobs) > 1:
            self._say_skipped()
        longer = []
        if self._earlier is not None:
            longer = continue_longer(self._earlier.store, self._earlier.children, jobs, checkpoints)
        return [*longer, *notes(checkpoints, jobs)]

    @property
    def goes_on_with(self) -> str:
        """The id of the sweep that this command continues, empty for none."""
        return "" if self.chosen is None else str(self.chosen.data.tags["nnexp.sweep_id"])

    def end(self, status: str = "") -> None:
        """Finish the parent run, print the table, and where runs are missing the command that resumes.

        Raises:
            StoreError: the store could not be opened.
        """
        if self._earlier is not None:
            self._say_skipped()
            self.rows += self._earlier.others() if self._extends else []
        super().end(status)
        if self._home is None:
            return
        if self.rows:
            configs = [row.config for row in self.rows]
            self.view.say(f"Compare: {commands.compare(self._home, self.sweep_id, configs)}")
        # Only what was recorded can be resumed.
        if self._parent is not None and (self.failed or any(row.status == "killed" for row in self.rows)):
            self.view.say(f"Resume: {commands.resume(self._flags, self.overrides, self.sweep_id)}")
        if self.closing:
            self.view.say("\n".join(self.closing))

    def _found(self, job: Trial) -> Found | None:
        """What a resumed sweep already has of the job; a result is added to the table."""
        if self._earlier is None:
            return None
        from nnexp.sweep.resume import replace_before

        claim = self._earlier.claim(job.config)
        if claim.result is None:
            self._why[claim.why] += 1
        else:
            self._skipped += 1
            self._add(job, claim.result)
            replace_before(self._home, claim)
        return claim

    def _say_skipped(self) -> None:
        # Later rounds of a sweep are missing by design.
        why = self._why.keys() - {"missing"} if self.rows else self._why
        if self._earlier is not None and (self._skipped or why):
            self.view.say(commands.skipped(self.sweep_id, self._skipped, self._why, self._extends))
            self._skipped, self._why = 0, Counter()
