"""manage.py train_model: a new match model learnt from the register, kept as a draft."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.errors import IdentityError
from resolution.management.console import command_actor, console, progress, show_table
from resolution.models import StoredModel
from resolution.services.train_model import DEFAULT_NAME, read_labels, train_model


class Command(BaseCommand):
    help = (
        "Learn a match model from the register and from what people said of pairs, and keep it as a draft. "
        "It decides nothing until it was compared in shadow and a lead promoted it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--labels",
            type=Path,
            help="CSV file of known pairs: customer id, customer id, same or different",
        )
        parser.add_argument("--name", default=DEFAULT_NAME, help="what to call it; default: %(default)s")
        parser.add_argument(
            "--seed", type=int, default=1, help="of the random pairs; the same seed learns the same model"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            labels = read_labels(options["labels"]) if options["labels"] else []
            with progress() as note:
                row = train_model(
                    actor=command_actor(),
                    labels=labels,
                    name=options["name"],
                    seed=options["seed"],
                    watch=note,
                )
        except IdentityError as error:
            raise CommandError(str(error)) from error
        _show(row)


def _show(row: StoredModel) -> None:
    for what, facts in row.metrics.items():
        if facts:
            rows = [(name, _told(fact)) for name, fact in facts.items()]
            show_table(what.capitalize(), ("what", "value"), rows)
    console.print(
        f"Model {row.version} is a draft. What would it change? manage.py compare_model {row.version}",
        markup=False,
    )


def _told(fact: Any) -> object:
    if isinstance(fact, dict) and "share" in fact:
        return f"{fact['share']:.3f} ({fact['low']:.3f} to {fact['high']:.3f})"
    return fact if isinstance(fact, int | float) else str(fact)
