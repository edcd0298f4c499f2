"""What `make run` does: servers, migrations, demo, web server, worker; and stops them all in order.

Usage: python -m identity_project.launcher run | with COMMAND... | stop [--force] | reset [--force]
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import IO

import psycopg
from django.core.exceptions import ImproperlyConfigured

from identity_project import database, embedded, env, guards, processes, summary, var_folder
from identity_project.processes import Child, Command
from identity_project.trouble import Trouble
from resolution.services import stalled_jobs

BASE_DIR = Path(__file__).resolve().parent.parent
WEB_START_SECONDS = 60.0
WORKER = "4-worker"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked us to stop."""


@dataclass
class Launcher:
    """One start: the folder it works in and its children, in the order they were started."""

    var: Path
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    @property
    def servers(self) -> embedded.Servers:
        return embedded.Servers(self.var)

    def run(self) -> None:
        """Start everything, say where it is, and stay until asked to stop."""
        host, port = env.text("HOST", "127.0.0.1"), env.port()
        with self._in_charge():
            guards.require_free_port(host, port)
            self._prepare_database()
            self._collect_static_files()
            self._load_demo_once()
            self._start_web(host, port)
            self._start_worker()
            say(summary.banner(self.var, f"http://{_in_url(host)}:{port}/"))
            self._watch()

    def run_with(self, words: Sequence[str]) -> int:
        """Run one command with servers and a migrated database around it; return its exit status."""
        with self._in_charge():
            self._prepare_database()
            return self._finish(_open_program(words))

    @contextmanager
    def _in_charge(self) -> Iterator[None]:
        """Hold the folder, clear what a crash left, and end with nothing of ours running."""
        guards.require_writable(self.var)
        import_module("identity_project.settings")  # a bad variable is refused before anything starts
        with guards.hold_lock(self.var):
            self._listen_for_signals()
            clear_leftovers(self.servers)
            try:
                yield
            finally:
                self._stop_children()

    def _listen_for_signals(self) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, self._note_signal)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Only noted: the step under way ends cleanly, then `_go_on` stops us."""
        self.stopping = True

    def _go_on(self) -> None:
        if self.stopping:
            raise Stopped

    def _prepare_database(self) -> None:
        self._open_folders()
        if env.uses_embedded_database():
            self.children.append(embedded.start_postgres(self.servers))
        self._go_on()
        if env.uses_embedded_cache():
            self.children.append(embedded.start_valkey(self.servers))
        self._go_on()
        self._manage("migrate", "--no-input", failed="The database could not be migrated")

    def _open_folders(self) -> None:
        if not env.uses_embedded_database():
            return
        for folder in embedded.open_folders(self.servers):
            say(f"Note: other accounts may now pass through {folder}: PostgreSQL does not run as root.")

    def _collect_static_files(self) -> None:
        stamp, wanted = self.var / "static.stamp", static_fingerprint()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self._manage("collectstatic", "--no-input", failed="The static files could not be collected")
        stamp.write_text(wanted)

    def _load_demo_once(self) -> None:
        """Load the demo on the first start; a load that was cut short is taken up again."""
        if not (env.flag("DEMO", default=True) and summary.wants_demo(self.var)):
            return
        say("First start: loading the demo company and finding its duplicates …")
        story = summary.demo_story_path(self.var)
        draft = story.with_suffix(".draft")
        with draft.open("wb") as output:
            status = self._finish(_manage_process("load_demo", stdout=output))
        if status:
            raise Trouble("The demo could not be loaded, the lines above say why; DEMO=0 starts without it.")
        draft.replace(story)

    def _start_web(self, host: str, port: int) -> None:
        log = self.servers.logs / "web.log"
        child = self._start(Command("3-web", _gunicorn(host, port), log, folder=BASE_DIR))
        deadline = time.monotonic() + WEB_START_SECONDS
        while not _answers(f"http://{_in_url(host)}:{port}/healthz"):
            self._go_on()
            if child.ended or time.monotonic() > deadline:
                raise Trouble(f"The web server did not start: {embedded.last_line(log)} (see {log})")
            time.sleep(0.1)

    def _start_worker(self) -> None:
        self._take_up_jobs()
        words = [sys.executable, "manage.py", "procrastinate", "worker", "--shutdown-graceful-timeout", "10"]
        self._start(Command(WORKER, words, self.servers.logs / "worker.log", folder=BASE_DIR))

    def _take_up_jobs(self) -> None:
        """Beside our own database no worker lives yet; on another, the workers take up what the dead left."""
        if not env.uses_embedded_database():
            return
        with database.connect(self.var) as connection, connection.cursor() as cursor:
            taken = stalled_jobs.take_back(cursor, silent_for=0)
        if taken.again:
            say(f"Took up {taken.again} jobs that an earlier start had not finished.")
        if taken.given_up:
            say(
                f"Gave up {taken.given_up} jobs that were under way at more than {stalled_jobs.MAX_ATTEMPTS} "
                f"crashes: see {self.servers.logs / 'worker.log'}, then ask for them again."
            )

    def _start(self, command: Command) -> Child:
        child = processes.start(command, self.servers.records)
        self.children.append(child)
        return child

    def _stop_children(self) -> None:
        while self.children:
            child = self.children.pop()
            crashed = child.ended
            child.stop()
            if child.name == WORKER and not crashed:
                self._hand_back_jobs()

    def _hand_back_jobs(self) -> None:
        """What the worker could not end in its time to stop; on another database that of others goes on."""
        if not env.uses_embedded_database():
            return
        with (
            suppress(psycopg.OperationalError),  # where the database has ended, the next start takes up
            database.connect(self.var) as connection,
            connection.cursor() as cursor,
        ):
            stalled_jobs.hand_back(cursor)

    def _watch(self) -> None:
        """Wait for a signal; a child that ends by itself ends us all."""
        while True:
            self._go_on()
            for child in self.children:
                if child.ended:
                    raise Trouble(f"The {child.title} ended by itself: see {child.log}, then start again.")
            time.sleep(0.2)

    def _manage(self, *words: str, failed: str) -> None:
        """Run a management command to its end; what it prints goes to a log of its name."""
        log = self.servers.logs / f"{words[0]}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            status = self._finish(_manage_process(*words, stdout=output, stderr=output))
        if status:
            raise Trouble(f"{failed}: {embedded.last_line(log)} (see {log})")

    def _finish(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a process to end, or end it when we are asked to stop; return its exit status."""
        while process.poll() is None:
            if self.stopping:
                process.terminate()
                process.wait()
            time.sleep(0.05)
        self._go_on()
        return process.returncode


def clear_leftovers(servers: embedded.Servers) -> None:
    """Stop what an earlier launcher left running when it was killed. The caller holds the lock."""
    for title in processes.stop_leftovers(servers.records):
        say(f"Stopped the {title} that an earlier start had left running.")


def stop(var: Path, *, force: bool) -> None:
    """End with nothing of ours running; a launcher at work is stopped only when forced."""
    if not var_folder.is_ours(var):
        say(f"Nothing to stop: {var_folder.why_not_ours(var)}.")
        return
    if force:
        guards.terminate_holder(var)
    with guards.hold_lock(var):
        clear_leftovers(embedded.Servers(var))


def reset(var: Path, *, force: bool) -> None:
    """Delete the database and all else of ours under var/, after a question unless forced."""
    if not var.exists():
        say(f"Nothing to delete: there is no {var}.")
        return
    if not var_folder.is_ours(var):
        raise Trouble(f"Nothing was deleted: {var_folder.why_not_ours(var)}; set VAR_DIR to the one meant.")
    if not force and not _confirmed(f"Delete every customer, decision and log under {var}? Type yes: "):
        raise Trouble("Nothing was deleted. `make reset FORCE=1` does not ask.")
    stop(var, force=force)
    shutil.rmtree(embedded.Servers(var).sockets, ignore_errors=True)
    left = var_folder.delete_ours(var)
    say(f"Deleted what was ours in {var}; left {', '.join(left)}." if left else f"Deleted {var}.")


def static_fingerprint() -> str:
    """Changes whenever a locked package or one of our own static files does."""
    digest = hashlib.sha256((BASE_DIR / "requirements" / "base.txt").read_bytes())
    for path in sorted(BASE_DIR.glob("*/static/**/*")):
        facts = path.stat()
        digest.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def say(text: str) -> None:
    print(text, flush=True)


def main(words: Sequence[str]) -> int:
    """Return the exit status; whatever stops a start is told in one sentence."""
    try:
        return _dispatch(words)
    except Stopped:
        say("Stopped.")
    except (Trouble, ImproperlyConfigured, psycopg.OperationalError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _dispatch(words: Sequence[str]) -> int:
    var = env.var_dir(BASE_DIR)
    match list(words):
        case ["run"]:
            Launcher(var).run()
        case ["with", *command] if command:
            return Launcher(var).run_with(command)
        case ["stop", *rest]:
            stop(var, force="--force" in rest)
        case ["reset", *rest]:
            reset(var, force="--force" in rest)
        case _:
            raise Trouble((__doc__ or "").splitlines()[-1])
    return 0


def _open_program(words: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words)
    except OSError as error:
        raise Trouble(
            f"{words[0]} cannot be run ({os.strerror(error.errno or 0)}): name a program of this machine."
        ) from error


def _manage_process(
    *words: str, stdout: IO[bytes], stderr: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def _gunicorn(host: str, port: int) -> list[str | Path]:
    workers = env.whole_number("WEB_WORKERS", min(os.cpu_count() or 1, 4), low=1, high=64)
    return [
        sys.executable, "-m", "gunicorn", "identity_project.wsgi:application", "--preload",
        "--bind", f"{_in_url(host)}:{port}", "--workers", str(workers), "--worker-class", "gthread",
        "--threads", "4", "--graceful-timeout", "5", "--max-requests", "10000",
        "--max-requests-jitter", "1000", "--no-control-socket",
    ]  # fmt: skip


def _answers(address: str) -> bool:
    """Any answer counts: a refusal, too, comes from a server that is up."""
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310  (our own http address)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() == "yes"
    except EOFError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
