"""A model as its page shows it."""

from __future__ import annotations

import pytest

from resolution.models import StoredModel
from resolution.selectors.model_card import model_card
from tests.factories import draft

pytestmark = pytest.mark.django_db


def with_metrics(**metrics: object) -> StoredModel:
    row = draft()
    row.metrics = metrics
    return row


class TestModelCard:
    def test_tells_where_it_begins_otherwise_than_the_live_model(self) -> None:
        card = model_card(draft(prior=-15.0))

        assert card.priors == (("One person", -15.0, -14.0), ("One household", -14.0, None))
        assert card.changed == 0

    def test_every_fact_comes_as_text_nested_ones_too(self) -> None:
        share = {"share": 0.9857, "low": 0.97, "high": 0.995}
        facts = {
            "pairs": 120_000,
            "seconds": 12.345,
            "by_rule": {"email": 7},
            "fields": ["a", "b"],
            "seed": None,
        }

        card = model_card(with_metrics(training=facts, labels={"precision": share}, nothing={}))

        assert card.metrics == (
            (
                "Training",
                (
                    ("Pairs", "120,000"),
                    ("Seconds", "12.35"),
                    ("By rule · email", "7"),
                    ("Fields", "a, b"),
                    ("Seed", "not known"),
                ),
            ),
            ("Known pairs", (("Precision", "98.6 % (97.0 to 99.5)"),)),
        )

    def test_an_artefact_that_cannot_be_read_leaves_the_rest(self) -> None:
        row = with_metrics(training={"pairs": 1})
        row.artefact = '{"format": 0}'

        card = model_card(row)

        assert "cannot be used" in card.fault
        assert (card.fields, card.metrics) == ((), (("Training", (("Pairs", "1"),)),))
