"""`make run`, driven as a person would: started, stopped, killed, started again. Servers here are real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from identity_project import embedded, env, guards, processes
from identity_project.launcher import WORKER, Launcher
from identity_project.trouble import Trouble
from tests import servers
from tests.ordinary_user import give, ordinary_user

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120
DEMO_RECORDS = 60


class Start:
    """One `launcher run` in a process of its own, and what it said."""

    def __init__(
        self, var: Path, port: int, project: Path = ROOT, before: Sequence[str] = (), **variables: str
    ) -> None:
        self.var = var
        self.lines: list[str] = []
        self._up = threading.Event()
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "identity_project.launcher", "run"],
            cwd=project,
            env=environment(**{"VAR_DIR": str(var), "PORT": str(port), "DEMO": "0", **variables}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def wait_until_up(self) -> Start:
        assert self._up.wait(PATIENCE), self.said
        assert self.process.poll() is None, self.said
        return self

    def send(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status that follows."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def children(self) -> list[psutil.Process]:
        records = [json.loads(path.read_text()) for path in embedded.Servers(self.var).records.glob("*.json")]
        return [psutil.Process(record["pid"]) for record in records]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if "answers at" in line:
                self._up.set()
        self._up.set()


def environment(**variables: str) -> dict[str, str]:
    """Ours without what the test run itself set, so that nothing is shared with its servers."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **variables}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return int(answer.status)


def ask(var: Path, query: str) -> str:
    with psycopg.connect(
        host=str(embedded.Servers(var).sockets), user=embedded.SUPERUSER, dbname=embedded.DATABASE_NAME
    ) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


def listening_addresses(parents: list[psutil.Process]) -> set[str]:
    family = [one for parent in parents for one in [parent, *parent.children(recursive=True)]]
    return {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


def alive(found: list[psutil.Process]) -> list[str]:
    """Those still at work; the ended children of a dead launcher may wait for their parent's parent."""
    _, living = psutil.wait_procs(found, timeout=5)
    return [str(process) for process in living if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    """A folder with a short name: unix sockets have no room for a long one."""
    folder = Path(tempfile.mkdtemp(prefix="desk-"))
    folder.chmod(0o755)
    yield folder / "var"
    with suppress(Trouble):
        processes.stop_leftovers(embedded.Servers(folder / "var").records)
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@contextmanager
def started(
    var: Path, port: int, project: Path = ROOT, before: Sequence[str] = (), **variables: str
) -> Iterator[Start]:
    start = Start(var, port, project, before, **variables)
    try:
        yield start
    finally:
        if start.process.poll() is None:
            start.send(signal.SIGTERM)


@pytest.fixture
def small_copy() -> Iterator[Path]:
    """The project in a folder of an ordinary user's, with few records in its demo."""
    folder = Path(tempfile.mkdtemp(prefix="desk-"))
    folder.chmod(0o755)
    for name in ("identity_project", "customers", "resolution", "templates", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", folder)
    for path in (folder / "resolution" / "demo").glob("*.parquet"):
        pq.write_table(pq.read_table(path).slice(0, DEMO_RECORDS), path)
    give(folder)
    yield folder
    processes.stop_leftovers(embedded.Servers(folder / "var").records)
    shutil.rmtree(folder)


@contextmanager
def another_database() -> Iterator[tuple[str, str]]:
    """Addresses of an empty database and of a cache on the servers of this test run."""
    facts = settings.DATABASES["default"]
    host, user, password = str(facts["HOST"]), facts["USER"], facts.get("PASSWORD") or ""
    port, name = facts.get("PORT") or 5432, f"own_{os.getpid()}"
    place = f"/{host}" if host.startswith("/") else f"{host}:{port}"
    with psycopg.connect(
        host=host, port=port, user=user, password=password, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"postgres://{quote(user)}:{quote(password, safe='')}@{place}/{name}", settings.CACHE_URL
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class TestRun:
    def test_says_where_it_is_is_ready_there_and_ctrl_c_leaves_no_process(self, var: Path, port: int) -> None:
        with started(var, port) as start:
            start.wait_until_up()
            assert f"Identity Desk answers at http://127.0.0.1:{port}/" in start.said
            assert status_of(port, "/readyz") == 200
            assert status_of(port, "/admin/login/") == 200
            children = start.children()
            assert len(children) == 4
            assert listening_addresses(children) == {"127.0.0.1"}

            assert start.send(signal.SIGINT) == 0
        assert start.lines[-1] == "Stopped."
        assert alive(children) == []
        assert list(embedded.Servers(var).records.glob("*.json")) == []

    def test_a_second_start_keeps_the_data(self, var: Path, port: int) -> None:
        with started(var, port) as start:
            start.wait_until_up()
            ask(var, "INSERT INTO auth_group (name) VALUES ('kept') RETURNING name")
        with started(var, port) as start:
            start.wait_until_up()
            assert ask(var, "SELECT count(*) FROM auth_group WHERE name = 'kept'") == "1"

    def test_the_next_start_recovers_from_a_kill(self, var: Path, port: int) -> None:
        with started(var, port) as start:
            orphans = start.wait_until_up().children()
            assert start.send(signal.SIGKILL) == -signal.SIGKILL, start.said
        assert len(alive(orphans)) == 4

        with started(var, port) as start:
            start.wait_until_up()
            assert alive(orphans) == []
            assert "Stopped the postgres that an earlier start had left running." in start.said
            assert status_of(port, "/readyz") == 200

    def test_a_part_that_dies_ends_the_rest_and_the_next_start_recovers(self, var: Path, port: int) -> None:
        with started(var, port) as start:
            children = start.wait_until_up().children()
            postgres = json.loads((embedded.Servers(var).records / "1-postgres.json").read_text())["pid"]
            psutil.Process(postgres).kill()
            assert start.wait() == 1
        assert "The postgres ended by itself" in start.lines[-1]
        assert alive(children) == []

        # what its file names is by now a process of somebody else
        (var / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{var}/postgres\n")
        with started(var, port) as start:
            start.wait_until_up()
            assert status_of(port, "/readyz") == 200


class TestFirstStart:
    def test_an_ordinary_user_gets_the_demo_told_in_a_copy_of_the_project(
        self, small_copy: Path, port: int
    ) -> None:
        var = small_copy / "var"
        with started(var, port, small_copy, ordinary_user(), DEMO="1", HOME=str(small_copy)) as start:
            start.wait_until_up()
            assert {owner.uids().real for owner in start.children()} == {small_copy.stat().st_uid}
            customers = int(ask(var, "SELECT count(*) FROM customers WHERE status = 'active'"))
            story = (var / "demo.txt").read_text()
            assert start.send(signal.SIGINT) == 0

        assert "First start: loading the demo company and finding its duplicates …" in start.lines
        assert story.splitlines()[0] in start.lines
        assert "lead" in story
        assert customers > DEMO_RECORDS
        assert f"In the register: {customers:,} customers" in start.said


class TestServersOfYourOwn:
    def test_a_start_uses_them_and_starts_none(self, tmp_path: Path, port: int) -> None:
        with another_database() as (address, cache_address):
            with started(tmp_path, port, DATABASE_URL=address, REDIS_URL=cache_address) as start:
                start.wait_until_up()
                assert status_of(port, "/readyz") == 200
                assert len(start.children()) == 2
            assert "In the register: 0 customers with 0 identifiers" in start.said
        assert not (tmp_path / "postgres").exists()


@pytest.mark.django_db(transaction=True)
class TestJobsOfOthers:
    """What a stop and a start do with jobs under way, beside our own database and beside another."""

    @pytest.fixture(autouse=True)
    def _address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", servers.database_address())

    @pytest.fixture
    def _beside_our_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(env, "uses_embedded_database", lambda: True)

    def add_job(self, attempts: int = 0) -> ProcrastinateJob:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts)"
                " VALUES ('default', 'find_duplicates', 'doing', %s)",
                [attempts],
            )
        return ProcrastinateJob.objects.get()

    def with_worker(self, var: Path) -> tuple[Launcher, processes.Child]:
        command = processes.Command(WORKER, ["sleep", "60"], var / "worker.log")
        child = processes.start(command, var / "records")
        return Launcher(var, [child]), child

    @pytest.mark.usefixtures("_beside_our_own")
    def test_a_stop_hands_back_what_the_worker_could_not_end(self, tmp_path: Path) -> None:
        job = self.add_job(attempts=1)
        launcher, _ = self.with_worker(tmp_path)

        launcher._stop_children()

        job.refresh_from_db()
        assert (job.status, job.attempts) == ("todo", 1)

    @pytest.mark.usefixtures("_beside_our_own")
    def test_what_a_worker_that_died_left_counts_at_the_next_start(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        job = self.add_job()
        launcher, child = self.with_worker(tmp_path)
        child.process.kill()
        child.process.wait()

        launcher._stop_children()
        job.refresh_from_db()
        assert (job.status, job.attempts) == ("doing", 0)

        launcher._take_up_jobs()
        job.refresh_from_db()
        assert (job.status, job.attempts) == ("todo", 1)
        assert "Took up 1 jobs" in capsys.readouterr().out

    @pytest.mark.usefixtures("_beside_our_own")
    def test_a_start_tells_what_it_gave_up(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        job = self.add_job(attempts=3)

        Launcher(tmp_path)._take_up_jobs()

        job.refresh_from_db()
        assert job.status == "failed"
        assert "Gave up 1 jobs that were under way at more than 3 crashes" in capsys.readouterr().out

    def test_on_another_database_both_leave_them(self, tmp_path: Path) -> None:
        job = self.add_job()
        launcher, _ = self.with_worker(tmp_path)

        launcher._stop_children()
        launcher._take_up_jobs()

        job.refresh_from_db()
        assert job.status == "doing"


class TestStop:
    def launch(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "identity_project.launcher", *words],
            cwd=ROOT,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @pytest.mark.parametrize("words", [(), ("--force",)])
    def test_without_a_folder_there_is_nothing_to_stop(self, tmp_path: Path, words: tuple[str, ...]) -> None:
        done = self.launch("stop", *words, VAR_DIR=str(tmp_path / "var"))
        assert (done.returncode, done.stdout) == (0, f"Nothing to stop: there is no {tmp_path / 'var'}.\n")

    def test_another_folder_is_left_as_it_is(self, tmp_path: Path) -> None:
        assert "it is no folder of Identity Desk" in self.launch("stop", VAR_DIR=str(tmp_path)).stdout
        assert list(tmp_path.iterdir()) == []

    def test_a_program_that_is_not_there_is_named(self, var: Path) -> None:
        done = self.launch("with", "no-such-program", VAR_DIR=str(var))
        assert done.returncode == 1
        assert done.stderr == (
            "no-such-program cannot be run (No such file or directory): name a program of this machine.\n"
        )


class TestMake:
    def test_says_that_there_is_no_python(self, tmp_path: Path) -> None:
        for name in ("make", "sh"):
            program = shutil.which(name)
            assert program
            (tmp_path / name).symlink_to(program)
        done = subprocess.run(
            ["make", "run"],
            cwd=ROOT,
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.splitlines()[0] == (
            "Python 3.11 or newer is needed and none is here: "
            "install it (apt-get install python3), or name one as PYTHON=/path/to/python3."
        )


class TestRefusals:
    def refused(self, *before: str, **variables: str) -> str:
        """What a start under these variables says before it gives up: one sentence, never a traceback."""
        done = subprocess.run(
            [*before, sys.executable, "-m", "identity_project.launcher", "run"],
            cwd=ROOT,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr

    def test_a_busy_port_is_named_with_a_free_one(self, var: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            sentence = self.refused(VAR_DIR=str(var), PORT=str(port))
        assert sentence.startswith(f"Port {port} is taken by another program")
        assert "PORT=" in sentence
        assert "make run" in sentence

    def test_a_read_only_folder_is_named(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o555)
        for folder in (tmp_path, tmp_path / "var"):
            sentence = self.refused(*ordinary_user(), VAR_DIR=str(folder))
            assert sentence.startswith(f"Cannot write in {folder} (Permission denied): use a copy")

    def test_a_bad_variable_is_named(self, var: Path) -> None:
        assert "PORT is 'abc'" in self.refused(VAR_DIR=str(var), PORT="abc")
        assert "LOG_LEVEL is 'LOUD'" in self.refused(VAR_DIR=str(var), LOG_LEVEL="LOUD")

    def test_a_database_that_does_not_answer_is_named(self, var: Path) -> None:
        sentence = self.refused(
            VAR_DIR=str(var),
            DATABASE_URL=f"postgres://a:b@127.0.0.1:{free_port()}/desk",
            PORT=str(free_port()),
        )
        assert "The database could not be migrated" in sentence

    def test_data_of_another_version_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "postgres").mkdir()
        (tmp_path / "postgres" / "PG_VERSION").write_text("12\n")
        sentence = self.refused(VAR_DIR=str(tmp_path), PORT=str(free_port()))
        assert "was written by PostgreSQL 12" in sentence

    def test_a_second_launcher_on_one_folder_is_refused(self, tmp_path: Path) -> None:
        with guards.hold_lock(tmp_path):
            sentence = self.refused(VAR_DIR=str(tmp_path), PORT=str(free_port()))
        assert f"Another launcher (process {os.getpid()}) already uses {tmp_path}" in sentence


class TestReset:
    def reset(self, var: Path, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "identity_project.launcher", "reset", *words],
            cwd=ROOT,
            env=environment(VAR_DIR=str(var)),
            input=answer,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @pytest.fixture(autouse=True)
    def _signed(self, tmp_path: Path) -> None:
        (tmp_path / "launcher.lock").touch()

    def test_a_folder_that_is_not_ours_is_left_alone(self, tmp_path: Path) -> None:
        other = tmp_path / "home"
        (other / "log").mkdir(parents=True)
        (other / "launcher.lock").mkdir()  # of that name, and not what a launcher makes

        done = self.reset(other, "--force")

        assert done.returncode == 1
        assert done.stderr.startswith(f"Nothing was deleted: {other} holds neither launcher.lock nor ")
        assert len(done.stderr.splitlines()) == 1
        assert (other / "log").is_dir()

    def test_what_is_not_ours_in_our_folder_stays(self, tmp_path: Path) -> None:
        (tmp_path / "log").mkdir()
        (tmp_path / "secret_key").touch()
        (tmp_path / "thesis.odt").touch()

        done = self.reset(tmp_path, "--force")

        assert done.stdout == f"Deleted what was ours in {tmp_path}; left thesis.odt.\n"
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.odt"]

    def test_deletes_nothing_without_a_yes(self, tmp_path: Path) -> None:
        done = self.reset(tmp_path, answer="no\n")
        assert (done.returncode, tmp_path.exists()) == (1, True)
        assert "Nothing was deleted" in done.stderr

    def test_asked_by_nobody_it_deletes_nothing(self, tmp_path: Path) -> None:
        assert self.reset(tmp_path).returncode == 1
        assert tmp_path.exists()

    def test_forced_it_stops_what_runs_and_deletes_it(self, var: Path, port: int) -> None:
        with started(var, port) as start:
            children = start.wait_until_up().children()
            done = self.reset(var, "--force")
            assert done.returncode == 0, done.stderr
            assert start.wait() == 0
        assert alive(children) == []
        assert not var.exists()
