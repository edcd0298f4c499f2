"""What a start tells: the address, the story of the demo, and how much is in the register now."""

from __future__ import annotations

import hashlib
from pathlib import Path

from identity_project import database, env
from resolution.demo import ACTOR_NAME
from resolution.types import OUT_OF_QUEUE

_HOW_TO_SIGN_IN = "To sign in, make an account: .venv/bin/python manage.py createsuperuser"
_COUNTS = """
    SELECT (SELECT count(*) FROM customers WHERE status = 'active'),
           (SELECT count(*) FROM customer_identity_mapping WHERE status = 'active'),
           (SELECT count(*) FROM conflicts WHERE state <> ALL(%(out_of_queue)s))
"""
# Nobody's customers are in, or some of the demo's, whose last step is a run over the register.
_EMPTY_OR_CUT_SHORT = """
    SELECT NOT EXISTS (SELECT FROM customers) OR (
        EXISTS (SELECT FROM import_runs WHERE actor_name = %(demo)s)
        AND NOT EXISTS (SELECT FROM match_runs WHERE actor_name = %(demo)s AND state = 'done')
    )
"""


def banner(var: Path, address: str) -> str:
    values = {"out_of_queue": list(OUT_OF_QUEUE)}
    customers, identifiers, conflicts = database.row(var, _COUNTS, values)
    story = demo_story_path(var)
    return "\n".join(
        [
            story.read_text().strip() if story.exists() else _HOW_TO_SIGN_IN,
            f"In the register: {customers:,} customers with {identifiers:,} identifiers; "
            f"{conflicts:,} conflicts in the queue.",
            f"Identity Desk answers at {address} (Ctrl-C stops it)",
        ]
    )


def wants_demo(var: Path) -> bool:
    """True until the demo is in; a register that came from elsewhere is left alone."""
    if demo_story_path(var).exists():
        return False
    return not env.database() or bool(database.row(var, _EMPTY_OR_CUT_SHORT, {"demo": ACTOR_NAME})[0])


def demo_story_path(var: Path) -> Path:
    """Where the demo's summary is kept, one file a database."""
    named = env.database()
    if not named:
        return var / "demo.txt"
    facts = "/".join(str(named[key]) for key in ("HOST", "PORT", "NAME"))
    return var / f"demo-{hashlib.sha256(facts.encode()).hexdigest()[:12]}.txt"
