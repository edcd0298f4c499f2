"""Match models from draft to live and back: who may do what, and what has to be seen first (P9, P11)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from resolution.errors import (
    IllegalTransition,
    InvalidInput,
    MakerPromotes,
    NotFound,
    NotPermitted,
    NotSeenInShadow,
    Refused,
)
from resolution.matching.model import MatchModel, ModelRefused, as_json, from_json, load_model
from resolution.models import StoredModel
from resolution.selectors.match_model import live_version, read_artefact
from resolution.services import audit, locks
from resolution.services.audit import Trail
from resolution.types import Actor

State = StoredModel.State
PROMOTE = "resolution.promote_model"
# From → the states a person or a comparison may take a model to; only a roll-back revives a retired one.
TRANSITIONS: dict[str, frozenset[str]] = {
    State.DRAFT: frozenset({State.SHADOW, State.RETIRED}),
    State.SHADOW: frozenset({State.SHADOW, State.LIVE, State.RETIRED}),
    State.LIVE: frozenset({State.RETIRED}),
    State.RETIRED: frozenset(),
}
_LONGEST = {"name": 100, "version": 40}
_VERSION = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def add_draft(
    *, model: MatchModel, metrics: dict[str, Any], actor: Actor, notes: str | None = None
) -> StoredModel:
    """Keep a model as a draft, which decides nothing yet. `metrics` is JSON-ready.

    Raises InvalidInput for a version that is taken or no word, and for a model that cannot be evaluated.
    """
    artefact = _usable(model)
    _check_words(model)
    with audit.change(actor) as trail:
        row = _store(
            name=model.name,
            version=model.version,
            artefact=artefact,
            digest=digest_of(artefact),
            metrics=metrics,
            notes=model.notes if notes is None else notes,
            made_by_id=actor.user_id,
            maker_name=actor.name,
        )
        trail.record("model", method="draft", model=row.version, digest=row.digest)
        return row


def digest_of(artefact: str) -> str:
    """Return the SHA-256 (hex) of an artefact as it is written."""
    return hashlib.sha256(artefact.encode()).hexdigest()


def keep_comparison(trail: Trail, *, version: str, comparison: dict[str, Any]) -> StoredModel:
    """Put the findings of a shadow run on its model, as part of the run's last change.

    Raises NotFound, IllegalTransition when the model went live or was retired meanwhile.
    """
    row = _lock(version)
    _check_transition(row, State.SHADOW)
    row.state = State.SHADOW
    row.comparison = comparison
    row.save(update_fields=["state", "comparison"])
    trail.record("model", method="compare", model=version, **_told(comparison))
    return row


def promote(*, version: str, actor: Actor) -> StoredModel:
    """Let a model decide from now on, as a lead who did not make it; the one before is retired.

    Raises NotFound, NotPermitted, MakerPromotes, IllegalTransition, NotSeenInShadow when it was not compared
    with the model that is live now, ModelUnusable.
    """
    with audit.change(actor) as trail:
        row, before = _lock_with_live(version)
        lead = _account_of_lead(actor)
        if row.made_by_id == lead:
            raise MakerPromotes(version)
        _check_seen(row, before)
        read_artefact(row)
        _retire(before)
        row.state, row.promoted_by_id, row.replaces = State.LIVE, lead, before
        row.promoted_at = timezone.now()
        row.save(update_fields=["state", "promoted_by", "promoted_at", "replaces"])
        _tell(trail, "promote", row.version, before.version if before else load_model(None).version)
        return row


def roll_back(*, version: str, actor: Actor) -> StoredModel | None:
    """Take the live model out of force, as a lead; what it replaced lives again.

    Returns that one, None for the shipped model. `version` is the one the lead saw live.
    Raises NotFound, NotPermitted, Refused when another is live by now.
    """
    with audit.change(actor) as trail:
        row, live = _lock_with_live(version)
        _account_of_lead(actor)
        if live is None or live.pk != row.pk:
            raise Refused(
                f"Model {version} is not live; model {live_version()} is. Look again before rolling back.",
                model=version, live=live_version(),
            )  # fmt: skip
        _retire(live)
        revived = _revive(live.replaces_id)
        _tell(trail, "roll_back", revived.version if revived else load_model(None).version, live.version)
        return revived


def discard(*, version: str, actor: Actor) -> StoredModel:
    """Retire a model that never went live. Raises NotFound, IllegalTransition."""
    with audit.change(actor) as trail:
        row = _lock(version)
        if row.state == State.LIVE:
            raise IllegalTransition(f"Model {version}", "live", "discarded; roll it back")
        _check_transition(row, State.RETIRED)
        _retire(row)
        trail.record("model", method="discard", model=version)
        return row


def check_promotable(row: StoredModel, user: User) -> None:
    """Say whether a person may promote a model as things stand; raises what `promote` would."""
    if not user.has_perm(PROMOTE):
        raise NotPermitted("Only leads promote models; ask one of them.")
    if row.made_by_id == user.pk:
        raise MakerPromotes(row.version)
    _check_seen(row, StoredModel.objects.filter(state=State.LIVE).first())


def _usable(model: MatchModel) -> str:
    artefact = json.dumps(as_json(model), ensure_ascii=False)
    try:
        from_json(json.loads(artefact))
    except ModelRefused as error:
        raise InvalidInput(f"This is no usable model: {error}") from error
    return artefact


def _check_words(model: MatchModel) -> None:
    for name, most in _LONGEST.items():
        given = getattr(model, name)
        if len(given) > most:
            raise InvalidInput(
                f"The {name} of a model has {most} characters at most; {len(given)} were given."
            )
    if not _VERSION.issuperset(model.version) or not model.version[0].isalnum():
        raise InvalidInput(
            f"“{model.version}” is no version: give letters, digits, and . _ - after the first.",
            version=model.version,
        )
    if model.version == load_model(None).version:
        raise InvalidInput(
            f"Version {model.version} is the shipped model's; choose another.", version=model.version
        )


def _store(**columns: Any) -> StoredModel:
    try:
        with transaction.atomic():
            return StoredModel.objects.create(**columns)
    except IntegrityError as error:
        version = columns["version"]
        raise InvalidInput(
            f"There is a model {version} already; choose another version.", version=version
        ) from error


def _lock(version: str) -> StoredModel:
    rows = locks.lock_rows(StoredModel.objects.filter(version=version))
    if not rows:
        raise NotFound(f"There is no stored model {version[:60]}.", model=version[:60])
    return rows[0]


def _lock_with_live(version: str) -> tuple[StoredModel, StoredModel | None]:
    """Lock a model and the live one, in key order; two promotions at once run into `one_live_model`."""
    wanted = StoredModel.objects.filter(version=version) | StoredModel.objects.filter(state=State.LIVE)
    rows = locks.lock_rows(wanted)
    named = next((row for row in rows if row.version == version), None)
    if named is None:
        raise NotFound(f"There is no stored model {version[:60]}.", model=version[:60])
    return named, next((row for row in rows if row.state == State.LIVE), None)


def _account_of_lead(actor: Actor) -> int:
    user = User.objects.filter(pk=actor.user_id, is_active=True).first() if actor.user_id else None
    if user is None or not user.has_perm(PROMOTE):
        raise NotPermitted(f"{actor.name} may not promote models or roll them back; only leads do.")
    return user.pk


def _check_transition(row: StoredModel, wanted: str) -> None:
    if wanted not in TRANSITIONS[row.state]:
        words = {State.SHADOW: "compared", State.LIVE: "promoted", State.RETIRED: "retired"}
        state = row.get_state_display().lower()
        raise IllegalTransition(f"Model {row.version}", state, words[State(wanted)])


def _check_seen(row: StoredModel, live: StoredModel | None) -> None:
    """P11: what a promotion changes was to be seen, and against what is live now."""
    if row.state == State.DRAFT:
        raise NotSeenInShadow(row.version, "was not compared with the live model")
    _check_transition(row, State.LIVE)
    now = live.version if live else load_model(None).version
    then = (row.comparison or {}).get("live")
    if then != now:
        raise NotSeenInShadow(row.version, f"was compared with model {then}, but model {now} is live by now")


def _retire(row: StoredModel | None) -> None:
    if row is not None:
        row.state, row.retired_at = State.RETIRED, timezone.now()
        row.save(update_fields=["state", "retired_at"])


def _revive(key: int | None) -> StoredModel | None:
    if key is None:
        return None
    row = locks.lock_row(StoredModel, key)
    read_artefact(row)
    row.state, row.retired_at = State.LIVE, None
    row.save(update_fields=["state", "retired_at"])
    return row


def _tell(trail: Trail, act: str, now_live: str, before: str) -> None:
    trail.record("model", method=act, model=now_live, before=before)
    trail.tell("model.promoted" if act == "promote" else "model.rolled_back", model=now_live, before=before)


def _told(comparison: dict[str, Any]) -> dict[str, Any]:
    return {"live": comparison["live"], "counts": comparison["counts"], "run": comparison["run"]}
