"""The model and the policy that decisions are made with, and the models there are."""

from __future__ import annotations

import json
from functools import lru_cache

from django.db import connection
from django.db.models import QuerySet

from resolution.conf import policy
from resolution.errors import ModelUnusable, NotFound
from resolution.matching.decide import Policy
from resolution.matching.model import MatchModel, ModelRefused, as_json, from_json, load_model
from resolution.models import StoredModel

# Models a process keeps ready: the live one, the one before, two that are compared.
_KEPT = 4
# Asked before every decision: without the ORM it costs a third.
_LIVE = "SELECT id, digest FROM match_models WHERE state = 'live'"
SHIPPED_BY = "Identity Desk"


def live_model() -> MatchModel:
    """Return the model in force, the shipped one while none was promoted.

    One query, over an index of one row, so that every process follows a promotion at its next decision; the
    artefact is read when it is new to this process. Raises ModelUnusable when it cannot be read.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIVE)
        live = cursor.fetchone()
    return load_model(None) if live is None else stored_model(*live)


def live_policy() -> Policy:
    """Return the bands and the margin in force, in log2 odds."""
    rules = policy()
    return Policy(
        auto=rules.auto_weight, sample=rules.sample_weight, review=rules.review_weight, margin=rules.margin
    )


@lru_cache(_KEPT)
def stored_model(key: int, digest: str) -> MatchModel:
    """Return a stored model ready to score with; `digest` is its artefact's. Raises ModelUnusable."""
    row = StoredModel.objects.only("version", "artefact").get(pk=key)
    return read_artefact(row)


def read_artefact(row: StoredModel) -> MatchModel:
    """Build the model of a row. Raises ModelUnusable when this release cannot read it."""
    try:
        return from_json(json.loads(row.artefact))
    except ModelRefused as error:
        raise ModelUnusable(row.version, str(error)) from error


def all_models() -> QuerySet[StoredModel]:
    """The stored models, newest first, without what only their own pages show."""
    return (
        StoredModel.objects.defer("artefact", "comparison")
        .select_related("made_by", "promoted_by")
        .order_by("-pk")
    )


def find_model(version: str) -> StoredModel:
    """Return a model by its version; the shipped one as a row that is not stored. Raises NotFound."""
    rows = StoredModel.objects.select_related("made_by", "promoted_by", "replaces")
    row = rows.filter(version=version).first()
    if row is not None:
        return row
    if version == load_model(None).version:
        return shipped_model()
    raise NotFound(
        f"There is no model {version[:60]}; the list of models names them all.", model=version[:60]
    )


def shipped_model() -> StoredModel:
    """The model that came with this release, as a row that is not stored: live while no other is."""
    model = load_model(None)
    replaced = StoredModel.objects.filter(state=StoredModel.State.LIVE).exists()
    return StoredModel(
        name=model.name,
        version=model.version,
        artefact=json.dumps(as_json(model), ensure_ascii=False),
        notes=model.notes,
        state=StoredModel.State.RETIRED if replaced else StoredModel.State.LIVE,
        maker_name=SHIPPED_BY,
    )


def live_version() -> str:
    """The version in force, also where its artefact cannot be read."""
    live = StoredModel.objects.filter(state=StoredModel.State.LIVE).values_list("version", flat=True).first()
    return live or load_model(None).version
