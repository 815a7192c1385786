"""What the packaged program starts with: the same ``main`` as the ``cryptopipe`` command of an installed one."""

import os
import sys

from app.main import main


def restore_library_path() -> None:
    """
    Undo, for the programs this one starts, the library search path that the packaging set for itself.

    A PostgreSQL of the system must not be given the libraries in this folder.
    """
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if before is not None:
        os.environ["LD_LIBRARY_PATH"] = before
    else:
        os.environ.pop("LD_LIBRARY_PATH", None)


if __name__ == "__main__":
    restore_library_path()
    sys.exit(main())
