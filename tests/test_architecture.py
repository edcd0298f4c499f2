"""Imports point one way, writes happen in one place: read from the source, not from what happens to run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = {"django", "rest_framework", "psycopg", "redis", "django_redis", "procrastinate", "structlog"}
SURFACES = ("resolution/api", "resolution/admin", "resolution/jobs.py", "resolution/management")
SURFACE_MODULES = ("resolution.api", "resolution.admin", "resolution.jobs", "resolution.management")
MANAGER_WRITES = {
    "abulk_create", "acreate", "adelete", "aupdate", "bulk_create", "bulk_update", "create", "delete",
    "get_or_create", "update", "update_or_create",
}  # fmt: skip
CLOCK = {"now", "today", "time", "monotonic", "perf_counter", "utcnow"}


def modules(*places: str) -> list[Path]:
    """Every Python file in the places named, migrations left out."""
    found = [path for place in places for path in _files(ROOT / place)]
    return [path for path in found if "migrations" not in path.parts]


def _files(place: Path) -> list[Path]:
    return [place] if place.suffix == ".py" and place.exists() else sorted(place.rglob("*.py"))


def imports(tree: ast.AST, package: str = "") -> Iterator[str]:
    """The dotted name of everything a module imports, relative ones made absolute against `package`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def reaches(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def calls(tree: ast.AST) -> Iterator[tuple[int, list[str]]]:
    """Each call as its line and its names, outermost first: `A.objects.filter(x).get()` → get, filter, …"""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, list(_chain(node.func))


def _chain(node: ast.AST) -> Iterator[str]:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(node, ast.Attribute):
            yield node.attr
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def row_writes(tree: ast.AST) -> Iterator[int]:
    """The lines that write rows by themselves instead of calling a service."""
    for line, chain in calls(tree):
        through_manager = (
            chain and chain[0] in MANAGER_WRITES and bool({"objects", "_default_manager"} & {*chain})
        )
        on_instance = chain[:1] in (["save"], ["delete"]) and not {"super", "cache", "session"} & {*chain}
        if through_manager or on_instance:
            yield line


def clock_reads(tree: ast.AST) -> Iterator[int]:
    yield from (line for line, chain in calls(tree) if len(chain) > 1 and chain[0] in CLOCK)


def row_locks(tree: ast.AST) -> Iterator[int]:
    yield from (line for line, chain in calls(tree) if chain and chain[0] == "select_for_update")


def assert_no_import(paths: list[Path], *packages: str) -> None:
    assert paths, "nothing was looked at"
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imports(ast.parse(path.read_text()), _package(path))
        if reaches(name, *packages)
    ]
    assert not found, "\n".join(found)


def assert_none(paths: list[Path], rule: Callable[[ast.AST], Iterator[int]]) -> None:
    assert paths, "nothing was looked at"
    found = [
        f"{path.relative_to(ROOT)}:{line}" for path in paths for line in rule(ast.parse(path.read_text()))
    ]
    assert not found, "\n".join(found)


def _package(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


class TestImportsPointOneWay:
    def test_matching_knows_no_framework(self) -> None:
        assert_no_import(modules("resolution/matching"), *FRAMEWORKS)

    def test_matching_knows_nothing_else_of_ours_but_the_types(self) -> None:
        others = (
            "models",
            "services",
            "selectors",
            "batch",
            "conf",
            *(name.partition(".")[2] for name in SURFACE_MODULES),
        )
        assert_no_import(
            modules("resolution/matching"), "customers", *(f"resolution.{name}" for name in others)
        )

    def test_the_types_know_no_framework(self) -> None:
        assert_no_import(modules("resolution/types.py"), *FRAMEWORKS, "customers")

    def test_the_register_knows_nothing_of_resolution(self) -> None:
        assert_no_import(modules("customers"), "resolution")

    def test_services_know_no_surface(self) -> None:
        assert_no_import(
            modules("resolution/services"), *SURFACE_MODULES, "rest_framework", "django.contrib.admin"
        )

    def test_selectors_know_no_surface(self) -> None:
        assert_no_import(
            modules("resolution/selectors"), *SURFACE_MODULES, "rest_framework", "django.contrib.admin"
        )

    def test_models_know_neither_services_nor_surfaces(self) -> None:
        assert_no_import(
            modules("resolution/models"), "resolution.services", "resolution.selectors", *SURFACE_MODULES
        )

    def test_apps_know_nothing_of_the_project_around_them(self) -> None:
        assert_no_import(modules("customers", "resolution"), "identity_project")


class TestOnePlaceForEachThing:
    def test_surfaces_write_no_rows(self) -> None:
        assert_none(modules(*SURFACES), row_writes)

    def test_selectors_write_no_rows(self) -> None:
        assert_none(modules("resolution/selectors", "customers/selectors.py"), row_writes)

    def test_rows_are_locked_in_one_file(self) -> None:
        others = [path for path in modules("resolution") if path != ROOT / "resolution/services/locks.py"]
        assert_none(others, row_locks)

    def test_matching_reads_no_clock(self) -> None:
        assert_none(modules("resolution/matching"), clock_reads)


class TestTheRulesThemselves:
    """A rule that sees nothing passes for ever."""

    @pytest.mark.parametrize(
        "source",
        [
            "Customer.objects.create(name='x')",
            "Customer.objects.filter(pk=1).update(name='x')",
            "Customer._default_manager.bulk_create([])",
            "customer.save(update_fields=['name'])",
            "self.get_object().delete()",
        ],
    )
    def test_a_write_is_seen(self, source: str) -> None:
        assert list(row_writes(ast.parse(source))) == [1]

    @pytest.mark.parametrize(
        "source", ["options.update(a=1)", "super().save()", "cache.delete('k')", "create(x=1)"]
    )
    def test_what_writes_no_row_is_let_pass(self, source: str) -> None:
        assert not list(row_writes(ast.parse(source)))

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("import django.db", "django.db"),
            ("from django import db", "django.db"),
            ("def f():\n    from resolution.api import urls", "resolution.api.urls"),
            ("from ..api import urls", "resolution.api.urls"),
            ("from . import locks", "resolution.services.locks"),
        ],
    )
    def test_an_import_is_seen_wherever_it_stands(self, source: str, name: str) -> None:
        assert list(imports(ast.parse(source), "resolution.services")) == [name]

    def test_a_name_that_only_begins_alike_is_another_package(self) -> None:
        assert reaches("django.db", "django")
        assert not reaches("django_redis", "django")

    @pytest.mark.parametrize("source", ["datetime.now(UTC)", "date.today()", "time.time()"])
    def test_a_clock_is_seen(self, source: str) -> None:
        assert list(clock_reads(ast.parse(source))) == [1]

    def test_a_lock_is_seen(self) -> None:
        assert list(row_locks(ast.parse("Customer.objects.order_by('pk').select_for_update()"))) == [1]
