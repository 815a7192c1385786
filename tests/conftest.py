"""
What every test may use.

Qt draws off screen unless the environment says otherwise. Real recordings lie outside the project; a test that needs
one asks for ``shared_data`` and is skipped, saying so, where they are absent.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.clusters import copied_clusters
from tests.depth import examples, is_wanted
from tests.object_server import ObjectServer
from tests.servers import EMBEDDED, leave_named_server, note_named_server, shared_server, stop_shared_servers
from tests.tables import our_tables

# A busy machine is no reason to fail: pytest's own timeout tells what hangs. Examples are drawn at random here, to find
# what nobody thought of; where CI is set they are the same in every run, so that a change is judged by what it changed.
settings.register_profile(
    "cryptopipe",
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
    database=None if os.environ.get("CI") else settings.default.database,
)
settings.load_profile("cryptopipe")

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Nobody's own passwords are read or changed, and no keyring is waited for; tests that need one make one.
os.environ.setdefault("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


def _use_memory_for_temporary_files() -> None:
    """
    Put clusters and other files of the tests into memory where the machine has room for them.

    Most of a cluster's start and nearly all of its removal is waiting for the disk: a thousand files each.
    """
    memory = Path("/dev/shm")
    if "TMPDIR" not in os.environ and memory.is_dir() and os.access(memory, os.W_OK | os.X_OK):
        found = os.statvfs(memory)
        if found.f_bavail * found.f_frsize >= _MEMORY_NEEDED and not found.f_flag & os.ST_NOEXEC:
            os.environ["TMPDIR"] = str(memory)
            tempfile.tempdir = None  # drop the cached folder, so that TMPDIR is read again


gc.disable()  # until all tests are collected

_MEMORY_NEEDED = 8 * 2**30
_use_memory_for_temporary_files()

SHARED_DATA = Path(
    os.environ.get("CRYPTOPIPE_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
).absolute()


_HAD_EXTENSION = pytest.StashKey[bool | None]()


def pytest_configure(config: pytest.Config) -> None:
    # In the process that starts the others, because they share the server.
    if not hasattr(config, "workerinput"):
        config.stash[_HAD_EXTENSION] = note_named_server()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """
    Collect what the windows of a file of tests left behind.

    Python collects garbage in whichever thread happens to allocate, and Qt's objects die only in the main thread. The
    program sees to that (`app.window.collector`), and so do tests of whole windows; tests of widgets do not.
    """
    yield
    is_last_of_file = nextitem is None or nextitem.path != item.path
    if is_last_of_file and "PySide6.QtWidgets" in sys.modules:
        gc.collect()
        if gc.get_freeze_count() == 0:
            gc.freeze()  # a window of this file undid it


def pytest_sessionstart(session: pytest.Session) -> None:
    """
    Let each of several processes import another part of the test files first.

    All of them import all files. In one order, each would compile every file itself, as its neighbours do at the same
    moment; so they share what they compile, half of a minute's work each.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    folders = [session.config.invocation_params.dir / argument for argument in session.config.args]
    files = sorted(file for folder in folders if folder.is_dir() for file in folder.rglob("test_*.py"))
    begin = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for file in [*files[begin:], *files[:begin]]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # because the collection will tell
            importlib.import_module(".".join(file.relative_to(session.config.rootpath).with_suffix("").parts))


# These hold the longest files. Begun last, such a file would keep one process busy after the others are done.
_LONGEST_FIRST = [
    Path(__file__).parent / name
    for name in ("soak", "faults", "storage", "test_main.py", "end_to_end", "window", "commands", "live")
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if unwanted := [item for item in items if not is_wanted(item)]:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if is_wanted(item)]

    @functools.cache
    def rank(file: Path) -> int:
        places = (number for number, place in enumerate(_LONGEST_FIRST) if file.is_relative_to(place))
        return next(places, len(_LONGEST_FIRST))

    items.sort(key=lambda item: rank(item.path))  # stable: within a file, tests stay in their order


def pytest_collection_finish() -> None:
    """
    Leave all tests and modules out of the collections of garbage: to scan them after each file takes minutes.

    Until then there is next to no garbage. Afterwards it is looked for after each file of windows, and otherwise less
    often than usual.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000, 20, 20)


def pytest_sessionfinish() -> None:
    stop_shared_servers()


def pytest_unconfigure(config: pytest.Config) -> None:
    leave_named_server(config.stash.get(_HAD_EXTENSION, None))


@pytest.fixture(autouse=True)
def _usual_keys() -> Iterator[None]:
    """The usual keys after each test: those in force are the whole program's."""
    yield
    if (keys := sys.modules.get("widgets.keys")) is not None:
        keys.current_keys.put_back_all()


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """A running S3-compatible server, one for the session; skips where there is none."""
    server = ObjectServer(tmp_path_factory.mktemp("objects"))
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def _copied_clusters() -> Iterator[None]:
    with copied_clusters():
        yield


@pytest.fixture
def tables_url() -> Iterator[str]:
    """Our tables, empty, on the embedded server that the tests share, as a URL."""
    with our_tables(shared_server(EMBEDDED)) as url:
        yield url


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return ``find(name)``: the path of a recording such as ``"klines/x.csv"``; skips the test where it is absent."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"the recording {name} is not at {SHARED_DATA} (set CRYPTOPIPE_SHARED_DATA)")
        return path

    return find


@pytest.fixture(scope="session")
def reachable_folder() -> Iterator[Path]:
    """A folder for data directories that also the user may enter whom root starts the database as."""
    folder = Path(tempfile.mkdtemp(prefix="cryptopipe-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data_dir(reachable_folder: Path) -> Iterator[Path]:
    """A data directory of the test's own, not made yet; it is removed afterwards."""
    parent = Path(tempfile.mkdtemp(dir=reachable_folder))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent, ignore_errors=True)
