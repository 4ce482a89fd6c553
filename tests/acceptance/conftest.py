"""Fixtures: the binary, a fresh project for each test, and a target of each dialect."""

import os

import pytest
from support.aws import Aws
from support.collector import Collector
from support.evidence import SUITE
from support.fake_api_server import FakeCluster
from support.git_server import HttpServer, Served
from support.hosted import Hosted
from support.kubernetes import Operator
from support.kubernetes_cluster import Cluster as Kubernetes
from support.openbao import OpenBao
from support.postgres import Cluster
from support.product import Whimbrel, find_or_build
from support.project import Project
from support.proxy import Proxy
from support.proxy import find_or_build as find_or_build_proxy
from support.server import Server
from support.target import PostgresTarget, SqliteTarget
from support.terraform import left_out
from support.workers import forget, is_shared, machine


# Files that take minutes.
LONGEST = {"test_operator_faults"}
# What tests have measured, for the end of the output.
MEASURED = pytest.StashKey[list]()
# What the processes of a run call it.
RUN = pytest.StashKey[str]()


@pytest.fixture
def measured(request):
    """Takes a line that the terminal shows after all tests, whether they pass or not."""
    return request.config.stash.setdefault(MEASURED, []).append


def pytest_sessionfinish(session):
    """Hands over what was measured to the process that has the terminal."""
    if is_shared():
        session.config.workeroutput["measured"] = session.config.stash.get(MEASURED, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Takes it there."""
    measured = getattr(node, "workeroutput", {}).get("measured", [])
    node.config.stash.setdefault(MEASURED, []).extend(measured)
    node.config.stash[RUN] = node.workerinput["testrunuid"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test of time has the machine for itself."""
    with machine(alone=item.get_closest_marker("performance") is not None):
        return (yield)


def pytest_terminal_summary(terminalreporter, config):
    """Shows what was measured, and what nothing was run with."""
    if missing := left_out():
        terminalreporter.write_line(f"no test of a provider was run with {', '.join(missing)}: it isn't there")
    lines = config.stash.get(MEASURED, [])
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items):
    """Tests of time come first, with their files: each waits until nobody else runs one, and nobody has begun yet. Then what takes
    longest, so that nobody waits for it in the end. What looks at everything that was left behind comes last."""
    of_time = {item.path for item in items if item.get_closest_marker("performance")}

    def place(item):
        is_last = item.get_closest_marker("last") is not None
        return is_last, item.path not in of_time, item.path.stem not in LONGEST
    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def evidence(tmp_path_factory):
    """What the product leaves behind in the whole run; whoever runs a part of it looks at that at the end, too."""
    SUITE.watch(tmp_path_factory.getbasetemp())
    yield SUITE
    SUITE.hold()


def pytest_unconfigure(config):
    """Nothing of it is left."""
    SUITE.remove()
    if run := config.stash.get(RUN, None):
        forget(run)


@pytest.fixture(scope="session")
def binary():
    """The program under test."""
    return find_or_build()


@pytest.fixture(scope="session")
def cluster(evidence):
    """A private PostgreSQL server."""
    cluster = Cluster()
    evidence.also(cluster)
    yield cluster
    try:
        # The last test looks at what its own process left behind, and others have left something, too.
        evidence.hold()
    finally:
        evidence.forget(cluster)
        cluster.stop()


@pytest.fixture(scope="session")
def openbao():
    """A real OpenBao."""
    server = OpenBao()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kubernetes(binary, tmp_path_factory, evidence):
    """A real API server that has the product's kinds."""
    server = Kubernetes()
    # Whatever anybody has ever written to it, also what is no longer there.
    evidence.watch(server.audit)
    try:
        server.define(Whimbrel(binary, tmp_path_factory.mktemp("kubernetes")))
        yield server
        evidence.hold()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def fake_kubernetes(binary, tmp_path_factory):
    """A fake API server that has the product's kinds."""
    server = FakeCluster()
    try:
        server.define(Whimbrel(binary, tmp_path_factory.mktemp("fake")))
        yield server
    finally:
        server.stop()


@pytest.fixture
def api_server(request):
    """The API server of a test: the real one; each in turn for what is marked `on_both`."""
    return request.getfixturevalue(getattr(request, "param", "kubernetes"))


@pytest.fixture
def namespace(api_server):
    """A namespace of the API server."""
    return api_server.namespace()


@pytest.fixture
def api(api_server, namespace):
    """A way to the API server that fails as it is told, by which the operators of the namespace reach it."""
    door = api_server.faulty()
    namespace.door = door.port
    yield door
    door.stop()


@pytest.fixture
def operate_in(outside, tmp_path):
    """Starts operators of a namespace; those that still run after the test are killed."""
    started = []

    def start(namespace, *arguments, **options):
        cache = tmp_path / options.get("POD_NAME", "operator")
        operator = Operator(outside, namespace, cache, *arguments, **options)
        started.append(operator)
        return operator

    yield start
    for operator in started:
        if operator.running.process.poll() is None:
            operator.kill()


@pytest.fixture
def operate(operate_in, namespace):
    """Starts operators of the test's namespace."""
    return lambda *arguments, **options: operate_in(namespace, *arguments, **options)


@pytest.fixture(scope="session")
def proxy_program():
    """The program that stands before a store."""
    return find_or_build_proxy()


@pytest.fixture
def before_openbao(proxy_program, openbao):
    """A proxy before OpenBao."""
    proxy = Proxy(proxy_program, openbao.address, openbao.certificate)
    yield proxy
    proxy.stop()


@pytest.fixture
def before_aws(proxy_program, aws):
    """A proxy before the AWS Secrets Manager."""
    proxy = Proxy(proxy_program, aws.endpoint)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="session")
def aws():
    """An AWS Secrets Manager that checks signatures."""
    server = Aws()
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def compiled_plugins(tmp_path_factory):
    """Where compiled components are kept: away from the tester's own cache, shared by all tests, whichever process runs them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if is_shared() else base) / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(folder)


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


@pytest.fixture
def outside(binary, tmp_path):
    """The product in a folder where no project is, with an empty cache."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return Whimbrel(binary, folder, WHIMBREL_CACHE=tmp_path / "mirrors")


@pytest.fixture
def http(tmp_path):
    """A server of Git over HTTP, which has what is in the folder `served`."""
    server = HttpServer(tmp_path / "served")
    yield server
    server.stop()


@pytest.fixture
def shop(project, sqlite):
    """A project with one migration whose environment may be used from anywhere."""
    project.environment("dev", {"shop": f"sqlite:{sqlite.file}"})
    project.table("0001-people")
    project.commit("People")
    return sqlite


@pytest.fixture
def served(shop, project, tmp_path):
    """The project's repository at a server."""
    return Served(tmp_path / "served/shop.git", project)


@pytest.fixture
def collector():
    """A collector of traces."""
    collector = Collector()
    yield collector
    collector.stop()


@pytest.fixture
def serve(whimbrel):
    """Starts servers, by other programs where that is said; those that still run after the test are killed."""
    started = []

    def start(*arguments, by=None, **options):
        server = Server(by or whimbrel, *arguments, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.running.process.poll() is None:
            server.running.kill()
            server.running.end(code=None)


@pytest.fixture
def hosted(outside, project, sqlite, tmp_path):
    """A project with one migration at a Git host, followed by its `main`."""
    project.environment("dev", {"shop": f"sqlite:{sqlite.file}"}, branch="main")
    project.table("0001-people")
    project.commit("People")
    served = Served(tmp_path / "served/acme/shop.git", project)
    server = HttpServer(tmp_path / "served")
    hosted = Hosted(outside, project, served, server, tmp_path / "config")
    yield hosted
    hosted.stop()
    server.stop()
