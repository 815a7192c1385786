"""One setting changes; all else in the file stays."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.config.config_file import write_setting
from app.config.settings import load
from app.market.errors import SettingsError

BEFORE = """\
# my settings
theme = "light"   # brighter

# where trades go
database_url = "postgresql://me@old/x"  # the old one
symbols = [
    "BTCUSDT",
    "ETHUSDT",  # and this
]
"""


def test_a_changed_setting_leaves_comments_and_order_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(BEFORE, encoding="utf-8")
    write_setting(file, "database_url", 'postgresql://me@new/x?options=-c"y"')
    assert file.read_text(encoding="utf-8") == BEFORE.replace(
        '"postgresql://me@old/x"', '"postgresql://me@new/x?options=-c\\"y\\""'
    )
    settings = load({}, environment={}, file=file)
    assert settings.database_url == 'postgresql://me@new/x?options=-c"y"'
    assert settings.theme == "light"


def test_a_setting_that_is_removed_is_gone_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(BEFORE, encoding="utf-8")
    write_setting(file, "database_url", None)
    assert load({}, environment={}, file=file).database_url == ""
    assert "# my settings" in file.read_text(encoding="utf-8")
    assert "# and this" in file.read_text(encoding="utf-8")
    write_setting(file, "database_url", None)


def test_a_file_that_is_not_there_is_made_with_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    write_setting(file, "database_url", None)
    assert not file.exists()
    write_setting(file, "database_url", "postgresql://me@new/x")
    assert file.read_text(encoding="utf-8") == 'database_url = "postgresql://me@new/x"\n'
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes, and links need rights")
def test_permissions_and_a_link_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "config.toml"
    real.write_text('theme = "dark"\n', encoding="utf-8")
    real.chmod(0o600)
    link.symlink_to(real)
    write_setting(link, "theme", "light")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == 'theme = "light"\n'
    assert real.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [b"theme = ", b"\xff\xfe", b"theme = 1\ntheme = 2"])
def test_a_file_that_cannot_be_read_is_a_sentence_and_stays(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text)
    with pytest.raises(
        SettingsError, match=r"^The choice could not be kept in .*config\.toml \(.*\), so the next start"
    ):
        write_setting(file, "theme", "light")
    assert file.read_bytes() == text


def test_a_folder_in_its_place_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="could not be kept"):
        write_setting(tmp_path, "theme", "light")
