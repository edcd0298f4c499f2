"""What imports and searches for duplicates have in common: one at a time, and no end without a word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import QuerySet
from django.utils import timezone

from resolution.errors import Refused
from resolution.models import ImportRun, MatchRun
from resolution.services import locks

Run = ImportRun | MatchRun
FAILED = "failed"
_STOPPED = "It stopped without a word; the process was ended."


@contextmanager
def one_at_a_time(work: str, refusal: str) -> Iterator[None]:
    """Keep a piece of work to this session. Raises Refused with that sentence while another has it."""
    with locks.hold_work(work) as held:
        if not held:
            raise Refused(refusal)
        yield


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
            words = str(error).splitlines()[0] if str(error) else "It was interrupted."
            type(run)._default_manager.filter(pk=run.pk).update(
                state=FAILED, error=words[:500], finished_at=timezone.now()
            )
        raise
