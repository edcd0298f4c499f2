"""A walk in a process of its own: in order, on this database, its faults told, ending with its leader."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from resolution.batch.ahead import one_ahead
from resolution.errors import InvalidInput
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db(transaction=True)

_LEADER = """
import multiprocessing, time, django
django.setup()
from resolution.batch.ahead import one_ahead
from tests.resolution.batch.test_ahead import count_up

if __name__ == "__main__":
    with one_ahead(count_up) as numbers:
        next(numbers)
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(60)
"""
SECONDS = 20


def count_up(end: int = 10) -> Iterator[int]:
    yield from range(end)


def count_customers() -> Iterator[tuple[int, int]]:
    from customers.models import Customer

    yield os.getpid(), Customer.objects.count()


def fail_after(items: int) -> Iterator[int]:
    yield from range(items)
    raise InvalidInput("Row 3 is broken; mend it.", line=3)


def note_each(folder: Path) -> Iterator[int]:
    for number in range(100):
        (folder / str(number)).touch()
        yield number


def test_gives_every_item_in_its_order() -> None:
    with one_ahead(partial(count_up, 25)) as numbers:
        assert list(numbers) == list(range(25))


def test_walks_elsewhere_on_the_same_database() -> None:
    CustomerFactory()

    with one_ahead(count_customers) as counted:
        [(process, customers)] = counted

    assert (customers, process == os.getpid()) == (1, False)


def test_what_it_raises_comes_out_after_what_it_gave() -> None:
    received = []
    with (
        pytest.raises(InvalidInput, match="Row 3 is broken") as caught,
        one_ahead(partial(fail_after, 2)) as items,
    ):
        received += items

    assert (received, caught.value.facts) == ([0, 1], {"line": 3})


def test_leaving_ends_the_walk(tmp_path: Path) -> None:
    with one_ahead(partial(note_each, tmp_path)) as numbers:
        next(numbers)

    assert len(list(tmp_path.iterdir())) <= 3


def test_ends_when_its_leader_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "leader.py"
    script.write_text(_LEADER)
    environment = os.environ | {
        "PYTHONPATH": str(settings.BASE_DIR),
        "DJANGO_SETTINGS_MODULE": "identity_project.settings_test",
    }
    with subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE) as leader:
        assert leader.stdout
        helper = psutil.Process(int(leader.stdout.readline()))
        leader.kill()
    assert psutil.wait_procs([helper], timeout=SECONDS)[1] == []
