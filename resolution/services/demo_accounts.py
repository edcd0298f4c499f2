"""The demo company's accounts, one a role, with passwords made once and kept for their owner's eyes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import Group, User
from django.db import transaction

from resolution.models import ApiKey
from resolution.services.api_keys import make_api_key
from resolution.types import Actor

# Account, role.
ACCOUNTS = (
    ("steward", "steward"),
    ("steward2", "steward"),
    ("lead", "lead"),
    ("auditor", "auditor"),
    ("admin", "admin"),
)
SERVICE, KEY_NAME, KEY_DAYS = "demo-service", "Demo service", 365
KEY_SCOPES = ("resolve", "read", "link", "conflicts", "merge")
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True)
class Secret:
    """An account or a key, its role, and what opens it."""

    name: str
    role: str
    secret: str


def make_demo_accounts(path: Path, actor: Actor) -> list[Secret]:
    """Make the accounts and the demo service's API key, and keep what opens them in a file only we can read.

    Made again, accounts keep the passwords the file has; one that is lost is made anew.
    """
    kept = {entry.name: entry.secret for entry in read_accounts(path)}
    with transaction.atomic():
        secrets_made = [_make_account(name, role, kept) for name, role in ACCOUNTS]
        secrets_made.append(_make_key(kept, actor))
        _write(path, secrets_made)
    return secrets_made


def _make_account(name: str, role: str, kept: dict[str, str]) -> Secret:
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
    password = kept.get(name) or _new_password()
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    user.groups.add(Group.objects.get(name=role))
    return Secret(name, role, password)


def _make_key(kept: dict[str, str], actor: Actor) -> Secret:
    user, _ = User.objects.get_or_create(username=SERVICE, defaults={"is_staff": False})
    user.groups.add(Group.objects.get(name="service"))
    if text := kept.get(SERVICE):
        return Secret(SERVICE, "API key", text)
    taken = ApiKey.objects.filter(name__startswith=KEY_NAME).count()
    name = f"{KEY_NAME} {taken + 1}" if taken else KEY_NAME
    _, text = make_api_key(name=name, user=user, scopes=KEY_SCOPES, days=KEY_DAYS, actor=actor)
    return Secret(SERVICE, "API key", text)


def _new_password() -> str:
    """Three words one can say, and a number: about 50 bits."""
    words = ["".join(_syllable() for _ in range(3)) for _ in range(3)]
    return "-".join([*words, str(secrets.randbelow(90) + 10)])


def _syllable() -> str:
    return secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS)


def read_accounts(path: Path) -> list[Secret]:
    """Read back what the file keeps; nothing where there is none."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line[:1].isalnum()]
    return [Secret(row[0], " ".join(row[1:-1]), row[-1]) for row in rows if len(row) > 2]


def _write(path: Path, entries: Iterable[Secret]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# Accounts of the demo company: name, role, password or key", *map(as_line, entries)]
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("\n".join(lines) + "\n")


def as_line(entry: Secret) -> str:
    """Write an account in one line, columns under each other."""
    return f"{entry.name:<13} {entry.role:<8} {entry.secret}"
