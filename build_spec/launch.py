"""What the packaged program starts with: the same ``main`` as the ``cryptopipe`` command of an installed one."""

import sys

from app.main import main

if __name__ == "__main__":
    # LD_LIBRARY_PATH stays as the package's starter set it: a second process of this program relies on it.
    sys.exit(main())
