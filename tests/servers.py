"""The servers of one test run: started by the process that was called, shared by its parallel workers."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

import psutil
from django.db import connection

from identity_project import embedded
from identity_project.processes import Child, stop_leftovers

_FOLDER_NAME = re.compile(r"identity-desk-test-(\d+)")


def start_servers(servers: embedded.Servers) -> list[Child]:
    """Start what no TEST_… address replaces."""
    sweep_abandoned_runs()
    servers.root.mkdir(parents=True, exist_ok=True)
    children = []
    if not os.environ.get("TEST_DATABASE_URL"):
        children.append(embedded.start_postgres(servers, embedded.UNSAFE_SETTINGS))
    if not os.environ.get("TEST_REDIS_URL"):
        children.append(embedded.start_valkey(servers))
    return children


def stop_servers(servers: embedded.Servers, children: list[Child]) -> None:
    for child in reversed(children):
        child.stop()
    shutil.rmtree(servers.root, ignore_errors=True)


def database_address() -> str:
    """The database under test, as DATABASE_URL names one."""
    facts = connection.settings_dict
    host, password = str(facts["HOST"]), facts.get("PASSWORD") or ""
    place = f"/{host}" if host.startswith("/") else f"{host}:{facts.get('PORT') or 5432}"
    return f"postgres://{quote(facts['USER'])}:{quote(password, safe='')}@{place}/{facts['NAME']}"


def sweep_abandoned_runs() -> None:
    """Stop and remove the servers of test runs that were killed: the folder carries the run's process id."""
    for folder in Path(tempfile.gettempdir()).glob("identity-desk-test-*"):
        match = _FOLDER_NAME.fullmatch(folder.name)
        if match and not psutil.pid_exists(int(match[1])) and os.access(folder, os.W_OK):
            stop_leftovers(embedded.Servers(folder).records)
            shutil.rmtree(folder, ignore_errors=True)
