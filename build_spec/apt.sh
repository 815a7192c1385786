#!/bin/sh
# Install the Debian packages named, without asking; where that is not allowed, print the one line to run and fail.
set -u

by_hand="sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "cryptopipe: this machine has no apt; install with its own package manager what Debian calls: $*" >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    as_root="env"
elif sudo -n true >/dev/null 2>&1; then
    as_root="sudo -n env"
else
    echo "cryptopipe: system packages are missing; run this line, then try again: $by_hand" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "cryptopipe: installing $*" >&2
# One stale source must not stop the rest: the install itself says what it cannot find.
$as_root DEBIAN_FRONTEND=noninteractive apt-get update -q >"$log" 2>&1 </dev/null || true
# shellcheck disable=SC2086  # as_root is a command with its arguments
if ! $as_root DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    echo "cryptopipe: apt could not install that; run this line to see why: $by_hand" >&2
    exit 1
fi
