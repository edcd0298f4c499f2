"""The second process of an import, which must not outlive the first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
from django.conf import settings

_LEADER = """
import multiprocessing, time, django
django.setup()
from resolution.batch.helper import second_process
from resolution.batch.prepare import Source

if __name__ == "__main__":
    with second_process() as work:
        work([], Source("crm", "DE")).result()
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(60)
"""
SECONDS = 20


def test_the_helper_ends_when_its_leader_is_killed(tmp_path: Path) -> None:
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
