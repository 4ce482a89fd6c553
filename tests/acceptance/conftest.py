"""Fixtures: the binary, a fresh project for each test, and a target of each dialect."""

import os

import pytest
from support.postgres import Cluster
from support.product import Whimbrel, find_or_build
from support.project import Project
from support.target import PostgresTarget, SqliteTarget


# What tests have measured, for the end of the output.
MEASURED = pytest.StashKey[list]()


@pytest.fixture
def measured(request):
    """Takes a line that the terminal shows after all tests, whether they pass or not."""
    return request.config.stash.setdefault(MEASURED, []).append


def pytest_terminal_summary(terminalreporter, config):
    """Shows what was measured."""
    lines = config.stash.get(MEASURED, [])
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def binary():
    """The program under test."""
    return find_or_build()


@pytest.fixture(scope="session")
def cluster():
    """A private PostgreSQL server."""
    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session", autouse=True)
def compiled_plugins(tmp_path_factory):
    """Where compiled components are kept: away from the tester's own cache, shared by all tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def project(tmp_path):
    """A project without migrations and without environments."""
    return Project(tmp_path / "shop")


@pytest.fixture
def whimbrel(binary, project):
    """The product, run in the project's folder."""
    return Whimbrel(binary, project.folder)


@pytest.fixture
def sqlite(project):
    """A SQLite file."""
    return SqliteTarget(project)


@pytest.fixture
def postgres(cluster):
    """A PostgreSQL database."""
    return PostgresTarget(cluster)


@pytest.fixture(params=["sqlite", "postgres"])
def target(request):
    """A target of each dialect in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def dev(project, target):
    """The environment `dev` with one database, `shop`, on each dialect in turn."""
    project.environment("dev", {"shop": target.url})
    return target
