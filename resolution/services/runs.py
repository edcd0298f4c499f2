"""What imports and searches for duplicates have in common: one at a time, and no end without a word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db.models import QuerySet
from django.utils import timezone

from resolution.errors import Refused
from resolution.models import ImportRun, MatchRun
from resolution.services import locks
from resolution.types import Actor

# Told (stage, done, total), total 0 while unknown.
Watch = Callable[[str, int, int], None]
Run = ImportRun | MatchRun
FAILED = "failed"
_STOPPED = "It stopped without a word; the process was ended."


@contextmanager
def one_at_a_time(work: str, refusal: str, asked: MatchRun | None = None) -> Iterator[None]:
    """Keep a piece of work to this session. Raises Refused with that sentence while another has it.

    The run that was `asked` for is then kept with it, for whoever asked the worker and looks under Runs (P6).
    """
    with locks.hold_work(work) as held:
        if not held:
            _keep_refused(asked, refusal)
            raise Refused(refusal)
        yield


def _keep_refused(asked: MatchRun | None, refusal: str) -> None:
    if asked:
        asked.state, asked.error, asked.finished_at = FAILED, refusal, timezone.now()
        asked.save()


def close_stopped(runs: QuerySet[ImportRun] | QuerySet[MatchRun]) -> None:
    """Say on runs that were left as running that their process ended."""
    runs.update(state=FAILED, error=_STOPPED, finished_at=timezone.now())


@contextmanager
def closing(run: Run | None) -> Iterator[None]:
    """Say on the run why it ended when it ends badly, by an interrupt too."""
    try:
        yield
    except BaseException as error:
        if run:
            fail(run, str(error).splitlines()[0] if str(error) else "It was interrupted.")
        raise


def fail(run: Run, why: str) -> None:
    """Write down that a run came to nothing, and why."""
    type(run)._default_manager.filter(pk=run.pk).update(
        state=FAILED, error=why[:500], finished_at=timezone.now()
    )


def begin(kind: str, model_version: str, actor: Actor) -> MatchRun:
    """Open the record of a run over the register; one of its kind that was left running is closed."""
    close_stopped(MatchRun.objects.filter(kind=kind, state=MatchRun.State.RUNNING))
    return MatchRun.objects.create(kind=kind, model_version=model_version, actor_name=actor.name)


def finish(run: MatchRun, counts: dict[str, int], timings: dict[str, float]) -> None:
    """Write down what a run came to; must run inside the transaction of its last change."""
    MatchRun.objects.filter(pk=run.pk).update(
        state=MatchRun.State.DONE,
        stage="done",
        counts=counts,
        timings=timings,
        finished_at=timezone.now(),
    )


class Walk:
    """Where a run over the register stands: tells the watcher, keeps the run's row current, times the stages.

    `counts` gives what has been found so far.
    """

    def __init__(
        self,
        run: MatchRun | None,
        watch: Watch,
        timings: dict[str, float],
        counts: Callable[[], dict[str, int]],
    ) -> None:
        self.run = run
        self.timings = timings
        self._watch = watch
        self._counts = counts

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator[Callable[[int], None]]:
        """Do one stage; the block is given a function that takes how much is done."""
        begun = time.monotonic()
        self._note(name, 0, total)
        yield lambda done: self._note(name, done, total)
        self.timings[name] = round(time.monotonic() - begun, 3)

    def _note(self, stage: str, done: int, total: int) -> None:
        self._watch(stage, done, total)
        if self.run:
            MatchRun.objects.filter(pk=self.run.pk).update(
                stage=stage, done=done, total=total, counts=self._counts(), timings=self.timings
            )
