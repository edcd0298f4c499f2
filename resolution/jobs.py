"""What the worker does: thin calls into services, with the actor who asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import transaction
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from resolution.errors import Refused, TryAgain
from resolution.services import check_trail as trail
from resolution.services import (
    compare_models,
    idempotency,
    limit_questions,
    limits,
    queue,
    reevaluate,
    rules,
    stalled_jobs,
)
from resolution.services import train_model as training
from resolution.services.find_duplicates import find_duplicates as find_and_settle
from resolution.types import Actor

# Long runs over the whole register go one after the other; the worker's other slots are for what is short.
_REGISTER = "the whole register"
_AGAIN_LATER = RetryStrategy(max_attempts=10, exponential_wait=2, retry_exceptions=[TryAgain])


@app.task(name="find_duplicates", queueing_lock="find_duplicates", lock=_REGISTER)
def find_duplicates(*, actor: dict[str, Any]) -> dict[str, int]:
    """Look for duplicates over the whole register; returns the counts."""
    return find_and_settle(actor=Actor(**actor)).settled.counts()


@app.task(name="compare_model", queueing_lock="compare_model", lock=_REGISTER)
def compare_model(*, version: str, actor: dict[str, Any]) -> dict[str, int]:
    """Compare a model in shadow with the live one; returns the counts."""
    row = compare_models.compare_in_shadow(version=version, actor=Actor(**actor))
    counts: dict[str, int] = (row.comparison or {}).get("counts", {})
    return counts


@app.task(name="train_model", queueing_lock="train_model", lock=_REGISTER)
def train_model(*, name: str, actor: dict[str, Any]) -> str:
    """Learn a model from the register and keep it as a draft; returns its version."""
    return training.train_model(actor=Actor(**actor), name=name).version


@app.task(name="check_trail", queueing_lock="check_trail", lock="check_trail")
def check_trail(*, actor: dict[str, Any]) -> str:
    """Walk the whole audit trail; returns the state its run ended in."""
    return trail.check_trail(actor=Actor(**actor)).state


@app.task(name=rules.ASKING, lock=rules.ASKING, retry=_AGAIN_LATER)
def ask_past_limits(*, identifier_type: str, limit_names: list[str], actor: dict[str, Any]) -> int:
    """Ask of all that is past the limits of a rule that were set; returns how many there are."""
    return rules.ask_past_limits(
        identifier_type=identifier_type, limit_names=limit_names, actor=Actor(**actor)
    )


@app.task(name=limits.COUNTING, retry=_AGAIN_LATER)
def count_holders(*, mapping_id: str, actor: dict[str, Any]) -> int:
    """Ask of a value that was linked while a file was on its way; returns whether it is past a limit."""
    return rules.ask_past_value(mapping_id=UUID(mapping_id), actor=Actor(**actor))


@app.task(name=limit_questions.REEVALUATION, retry=_AGAIN_LATER)
def reevaluate_conflicts(*, conflict_ids: list[int], actor: dict[str, Any]) -> int:
    """Look at the merges of values that crossed a limit; returns how many are asked about."""
    return reevaluate.reevaluate_conflicts(conflict_ids=conflict_ids, actor=Actor(**actor))


@app.periodic(cron="*/5 * * * *")
@app.task(name="release_lapsed", queueing_lock="release_lapsed", lock="release_lapsed")
def release_lapsed(timestamp: int) -> int:
    """Give lapsed claims and parked conflicts whose time has come back to the queue, every five minutes."""
    return queue.release_lapsed()


@app.periodic(cron="* * * * *")
@app.task(name="take_up_stalled", queueing_lock="take_up_stalled")
def take_up_stalled(timestamp: int) -> int:
    """Queue again what killed workers left under way, every minute; returns how many jobs that were.

    It has no lock: left by a killed worker itself, it would hold that for ever.
    """
    return stalled_jobs.take_back_from_the_dead().again


@app.periodic(cron="20 * * * *")
@app.task(name="forget_old_answers", queueing_lock="forget_old_answers", lock="forget_old_answers")
def forget_old_answers(timestamp: int) -> int:
    """Delete the answers to keyed requests that are older than the policy keeps them, every hour."""
    return idempotency.forget_old_answers()


def start_find_duplicates(actor: Actor) -> int:
    """Ask the worker for a run; returns the job's number. Raises Refused when one is waiting already."""
    with _once_waiting("A search for duplicates"):
        return find_duplicates.defer(actor=asdict(actor))


def start_compare_model(version: str, actor: Actor) -> int:
    """Ask the worker to compare a model in shadow; returns the job's number.

    Raises NotFound, IllegalTransition for a model that cannot be compared, Refused when one waits already.
    """
    compare_models.check_comparable(version)
    with _once_waiting("A comparison"):
        return compare_model.defer(version=version, actor=asdict(actor))


def start_train_model(name: str, actor: Actor) -> int:
    """Ask the worker to train a model; returns the job's number. Raises Refused when one waits already."""
    with _once_waiting("A training"):
        return train_model.defer(name=name, actor=asdict(actor))


def start_check_trail(actor: Actor) -> int:
    """Ask the worker to check the trail; returns the job's number. Raises Refused when one waits already."""
    with _once_waiting("A check of the audit trail"):
        return check_trail.defer(actor=asdict(actor))


@contextmanager
def _once_waiting(what: str) -> Iterator[None]:
    """Put a job of which one may wait into the queue, without harm to the transaction around it."""
    try:
        with transaction.atomic():
            yield
    except AlreadyEnqueued:
        raise Refused(f"{what} is waiting for the worker already; see Runs.") from None
