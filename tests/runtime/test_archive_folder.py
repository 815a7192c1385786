"""Downloads at once do not share the files they are writing."""

from __future__ import annotations

from pathlib import Path

from app.runtime.archive_folder import archive_folder


def test_downloads_at_once_have_a_folder_each_and_the_next_one_goes_on_in_the_first(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with archive_folder(data_dir) as first:
        assert first == data_dir / "archive"
        with archive_folder(data_dir) as second, archive_folder(data_dir) as third:
            assert [second.name, third.name] == ["archive-2", "archive-3"]
        with archive_folder(data_dir) as again:
            assert again == second
    with archive_folder(data_dir) as later:
        assert later == first


def test_where_no_lock_can_be_had_the_folder_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with archive_folder(tmp_path / "file" / "data") as folder:
        assert folder == tmp_path / "file" / "data" / "archive"
