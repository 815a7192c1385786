"""The folder that is suggested for a file: the last one used, if it is still there."""

from __future__ import annotations

from pathlib import Path

from widgets.controls.save_folder import SaveFolder


def test_the_folder_of_the_last_file_is_suggested_while_it_exists(tmp_path: Path) -> None:
    folder = SaveFolder()
    assert folder.path == Path.home()
    kept = tmp_path / "kept"
    kept.mkdir()
    folder.note(kept / "candles.csv")
    assert folder.path == kept
    kept.rmdir()
    assert folder.path == Path.home()
