#!/bin/sh
# Make .venv: a checkout's own Python environment, from the locked requirements.
# Does nothing when it is there and up to date. Installs what is missing when it may (root on Debian),
# or prints the one command that does.
set -eu
cd "$(dirname "$0")/.."

VENV=.venv
STAMP=$VENV/.requirements.stamp
MINIMUM='import sys; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 15))'

say() { printf 'setup: %s\n' "$*" >&2; }

fits() { "$1" -c "$MINIMUM" >/dev/null 2>&1; }

# Any Python from 3.12 on that this machine knows: by name, by pyenv, by uv.
find_python() {
    for name in python3.13 python3.12 python3.14 python3; do
        found=$(command -v "$name" 2>/dev/null) || continue
        if fits "$found"; then printf '%s\n' "$found"; return 0; fi
    done
    if command -v pyenv >/dev/null 2>&1; then
        for found in "$(pyenv root)"/versions/3.13*/bin/python "$(pyenv root)"/versions/3.12*/bin/python; do
            if [ -x "$found" ] && fits "$found"; then printf '%s\n' "$found"; return 0; fi
        done
    fi
    if command -v uv >/dev/null 2>&1; then
        found=$(uv python find --no-project '>=3.12,<3.15' 2>/dev/null) || return 1
        if fits "$found"; then printf '%s\n' "$found"; return 0; fi
    fi
    return 1
}

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

install_packages() {
    say "installing $*"
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >/dev/null
}

python=$(find_python) || python=
if [ -z "$python" ] && may_install && apt-cache show python3.13 >/dev/null 2>&1; then
    install_packages python3.13 python3.13-venv
    python=$(find_python) || python=
fi
if [ -z "$python" ]; then
    say "Python 3.12 or newer is needed and was not found. This installs one, then run this again:"
    say "    python3 -m pip install --user --break-system-packages uv && python3 -m uv python install 3.13"
    exit 1
fi

# An environment whose Python has gone, or that is too old, is made anew.
if [ -d "$VENV" ] && ! fits "$VENV/bin/python"; then
    say "$VENV does not work any more; making it anew"
    rm -rf "$VENV"
fi
if [ ! -d "$VENV" ]; then
    say "making $VENV with $("$python" --version)"
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        if may_install; then
            install_packages "python$version-venv"
        else
            say "Python's venv module is missing. This installs it: sudo apt-get install python$version-venv"
            exit 1
        fi
    fi
    "$python" -m venv "$VENV"
fi
if [ ! -f "$STAMP" ] || ! cmp -s requirements.lock "$STAMP"; then
    say "installing the locked requirements"
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    cp requirements.lock "$STAMP"
fi
