"""The same keyed request twice has the effect of one (P6).

The answer is stored in the transaction of the effect: a crash in between leaves neither, and a request that
was refused leaves nothing, so that it is judged anew when it comes again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast

from django.db import transaction
from django.utils import timezone

from resolution.conf import policy
from resolution.errors import CustomerErased, KeyReused, RequestInFlight
from resolution.models import IdempotencyRecord
from resolution.services.locks import again_after_deadlock, try_lock_request

_ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was told: `body` is JSON-ready; `replayed` when it was told before."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    replayed: bool = False


@again_after_deadlock
def answer_once(*, caller: str, key: str, request_hash: str, act: Callable[[], Answer]) -> Answer:
    """Return the answer `caller` got under `key`, or act now and keep it with the effect.

    `request_hash` stands for the request's content. Raises RequestInFlight while the same key is being
    worked on, KeyReused when it came with other content before, CustomerErased when the answer told of
    somebody erased since; whatever `act` raises undoes everything.
    """
    with transaction.atomic():
        if not try_lock_request(caller, key):
            raise RequestInFlight(key)
        told = _find_answer(caller, key, request_hash)
        return told or _keep(caller, key, request_hash, act())


def forget_old_answers() -> int:
    """Delete answers older than the policy keeps them; return how many."""
    deleted, _ = IdempotencyRecord.objects.filter(created_at__lt=_oldest_kept()).delete()
    return deleted


def forget_answers(record_ids: Collection[int], customer_id: uuid.UUID) -> None:
    """Forget what answers told of an erased customer; the same request again is told so, and does nothing."""
    IdempotencyRecord.objects.filter(pk__in=record_ids).update(response={_ERASED: str(customer_id)})


def _find_answer(caller: str, key: str, request_hash: str) -> Answer | None:
    record = IdempotencyRecord.objects.filter(caller=caller, key=key).first()
    if record is None or _is_forgotten(record):
        return None
    if record.request_hash != request_hash:
        raise KeyReused(key)
    told = cast("dict[str, Any]", record.response)
    if _ERASED in told:
        raise CustomerErased(told[_ERASED])
    return replace(Answer(**told), replayed=True)


def _is_forgotten(record: IdempotencyRecord) -> bool:
    if record.created_at >= _oldest_kept():
        return False
    record.delete()
    return True


def _keep(caller: str, key: str, request_hash: str, answer: Answer) -> Answer:
    IdempotencyRecord.objects.create(
        caller=caller,
        key=key,
        request_hash=request_hash,
        status=answer.status,
        response={"status": answer.status, "body": answer.body, "headers": answer.headers},
    )
    return answer


def _oldest_kept() -> Any:
    return timezone.now() - timedelta(hours=policy().idempotency_hours)
