"""Make an API key for another service and show it once."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from resolution.errors import IdentityError
from resolution.services.api_keys import SCOPES, make_api_key
from resolution.types import Actor


class Command(BaseCommand):
    help = "Make an API key that acts as an account, and show it once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the service that will use it")
        parser.add_argument("--user", required=True, help="account the key acts as")
        parser.add_argument(
            "--scopes", default="resolve,read", help=f"of {','.join(SCOPES)}; default: %(default)s"
        )
        parser.add_argument("--days", type=int, default=365, help="how long it lasts; default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['user']!r}; make one first.")
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            key, text = make_api_key(
                name=options["name"],
                user=user,
                scopes=scopes,
                days=options["days"],
                actor=Actor.machine("create_api_key"),
            )
        except IdentityError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)
        self.stderr.write(f"Valid until {key.expires_at:%d %B %Y}. Keep it now; it is not shown again.")
