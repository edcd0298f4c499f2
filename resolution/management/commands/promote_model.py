"""manage.py promote_model VERSION --by LEAD: let a match model decide from now on, or take it back."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from resolution.errors import IdentityError
from resolution.management.console import command_actor, console
from resolution.matching.model import load_model
from resolution.services.match_models import promote, roll_back
from resolution.types import Actor


class Command(BaseCommand):
    help = (
        "Promote a match model that was compared in shadow, in the name of a lead who did not make it. "
        "The one before is retired and lives again with --roll-back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="the model to promote; with --roll-back the one that is live")
        parser.add_argument("--by", required=True, help="account of the lead who decided it")
        parser.add_argument("--roll-back", action="store_true", help="take this live model out of force")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = _lead(options["by"])
        try:
            if options["roll_back"]:
                revived = roll_back(version=options["version"], actor=actor)
                live = revived.version if revived else load_model(None).version
            else:
                live = promote(version=options["version"], actor=actor).version
        except IdentityError as error:
            raise CommandError(str(error)) from error
        console.print(f"Model {live} is live.", markup=False)


def _lead(username: str) -> Actor:
    """The lead, with whoever typed the command beside them in the trail."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no account {username!r}.")
    return Actor(kind="user", name=f"{username}, by {command_actor().name}"[:150], user_id=user.pk)
