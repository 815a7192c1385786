#!/bin/sh
# Find a Python that the pins support and hand over to bootstrap.py. Arguments go there; PYTHON names one to use.
set -eu
here=$(dirname "$0")

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        if supported "$PYTHON"; then echo "$PYTHON"; fi
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 python; do
        if supported "$name"; then
            echo "$name"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ] && [ -z "${PYTHON:-}" ] && command -v apt-get >/dev/null 2>&1 && ! command -v python3 >/dev/null 2>&1; then
    sh "$here/apt.sh" python3 python3-venv
    python=$(find_python)
fi
if [ -z "$python" ]; then
    echo "cryptopipe needs Python 3.11, 3.12 or 3.13: install one or name yours: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
fi
# A virtual environment that is active must not lend its packages to the one being made.
exec "$python" -I "$here/bootstrap.py" "$@"
