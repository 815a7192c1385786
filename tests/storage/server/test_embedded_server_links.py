"""Links that the server's user could plant for root: they are never followed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.market.errors import StoreUnavailable
from storage.postgres.connection import connect
from storage.server.cluster import check_own_folder
from storage.server.embedded_server import EmbeddedServer

pytestmark = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="takes root, who could be misled")

Servers = Callable[..., EmbeddedServer]


@pytest.fixture
def stopped(servers: Servers) -> EmbeddedServer:
    server = servers()
    server.start()
    assert server.stop()
    return server


def home_of(server: EmbeddedServer) -> Path:
    assert server.home is not None
    return server.home


def test_a_link_in_place_of_a_folder_is_refused(stopped: EmbeddedServer, tmp_path: Path) -> None:
    target = tmp_path / "roots"
    target.mkdir()
    log = home_of(stopped) / "log"
    shutil.rmtree(log)
    log.symlink_to(target)
    with pytest.raises(StoreUnavailable, match=r"could not be started: .*no folder but a link or a file: remove it"):
        stopped.start()
    assert target.stat().st_uid == 0
    assert list(target.iterdir()) == []
    log.unlink()
    connect(stopped.start()).close()


@pytest.mark.parametrize("name", ["cryptopipe.new", "cryptopipe.conf.new", "cryptopipe.conf"])
def test_a_link_in_place_of_the_settings_is_not_followed(stopped: EmbeddedServer, tmp_path: Path, name: str) -> None:
    target = tmp_path / "roots"
    target.write_text("precious")
    link = home_of(stopped) / "cluster" / name
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    connect(stopped.start()).close()
    assert target.read_text() == "precious"
    assert target.stat().st_uid == 0


def test_a_forged_location_file_is_refused(stopped: EmbeddedServer, data_dir: Path) -> None:
    base = data_dir / "database"
    location = base / "location"
    was = location.read_text() if location.exists() else None
    target = data_dir / "roots"
    target.mkdir()
    location.write_text(str(target))
    os.chown(location, 65534, 65534)
    with pytest.raises(StoreUnavailable, match=r"location, which names .* is not root's own: .*Remove it"):
        stopped.start()
    assert target.stat().st_uid == 0
    location.unlink()
    if was is not None:
        location.write_text(was)


def test_a_link_in_place_of_the_users_folder_is_refused_and_nothing_is_removed(
    stopped: EmbeddedServer, data_dir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "roots"
    target.mkdir()
    (target / "precious").touch()
    users = data_dir / "database" / "users"
    shutil.rmtree(users)
    users.symlink_to(target)
    with pytest.raises(StoreUnavailable, match=r"users is a link or another user's: remove it"):
        stopped.start()
    assert (target / "precious").exists()
    users.unlink()
    users.mkdir()
    check_own_folder(users)


def test_a_missing_cluster_is_not_recreated_beside_the_one_from_before_the_upgrade(stopped: EmbeddedServer) -> None:
    home = home_of(stopped)
    away = home / "away"
    (home / "cluster").rename(away)
    elder = home / "cluster.old"
    elder.mkdir()
    (elder / "precious").touch()
    with pytest.raises(StoreUnavailable, match=r"is gone, and beside it is .*cluster\.old.*: bring the first back, or"):
        stopped.start()
    assert (elder / "precious").exists()
    assert not (home / "cluster").exists()
    away.rename(home / "cluster")
    connect(stopped.start()).close()
    assert not elder.exists()
