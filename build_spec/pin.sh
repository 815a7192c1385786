#!/bin/sh
# Pin requirements.txt (what the program needs) and requirements-dev.txt (everything) to the newest packages that
# pyproject.toml allows: one file for every platform and Python, with hashes, and no index address.
set -eu
cd "$(dirname "$0")/.."
tools=build/pin

sh build_spec/setup.sh run
[ -x "$tools/bin/uv" ] || { .venv/bin/python -m venv "$tools" && "$tools/bin/pip" install --quiet uv; }

pin() {
    output=$1
    shift
    "$tools/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --output-file "$output" pyproject.toml "$@"
}

# The build group is in both: setuptools installs the project itself, without looking anything up.
pin requirements.txt --group build
pin requirements-dev.txt --group build --group dev --constraint requirements.txt
