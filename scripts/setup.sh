#!/usr/bin/env bash
# Makes .venv and everything in it. `setup.sh build` is for running, `setup.sh test` adds what the tests need, and
# `setup.sh fuzz` what compiles the fuzzer.
# A step runs again only when its inputs changed: .venv/stamps holds a hash of them.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?setup.sh takes build, test or fuzz}

need_commands() {
    # Takes COMMAND:PACKAGE pairs, and installs the Debian packages of the commands that are missing.
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    if ((${#missing[@]})); then
        install_debian "${missing[@]}"
    fi
}

install_debian() {
    local install="apt-get install -y --no-install-recommends $*"
    if ! command -v apt-get >/dev/null; then
        echo "Packstone needs what Debian calls $*: install it, then run this again." >&2
        exit 1
    fi
    if ((EUID != 0)); then
        echo "Packstone needs these Debian packages: $*. As root, run: apt-get update && $install" >&2
        exit 1
    fi
    echo "Packstone needs these Debian packages: $*; installing them"
    DEBIAN_FRONTEND=noninteractive sh -c "apt-get update -q && $install"
}

need_nfs() {
    # What the tests of NFS run. The packages' services are neither started nor left to be started: they would listen on
    # every address.
    local policy=/usr/sbin/policy-rc.d installed=0
    if command -v ganesha.nfsd >/dev/null && command -v rpcbind >/dev/null && command -v ip >/dev/null &&
        [[ -e /usr/include/nfsc/libnfs.h ]] && compgen -G '/usr/lib/*/ganesha/libfsalvfs.so' >/dev/null; then
        return
    fi
    if ((EUID == 0)) && [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        installed=1
    fi
    install_debian nfs-ganesha nfs-ganesha-vfs rpcbind iproute2 libnfs-dev
    if command -v systemctl >/dev/null; then
        systemctl --quiet disable rpcbind.socket rpcbind.service nfs-ganesha.service || true
    fi
    if ((installed)); then
        rm -f "$policy"
        trap - EXIT
    fi
}

find_python() {
    # The first Python 3.11 that runs: a version manager's stand-in may be first in PATH and lead nowhere.
    local candidate
    for candidate in "${PYTHON:-python3.11}" python3.11 /usr/bin/python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo 'Packstone needs Python 3.11 as python3.11; on Debian 12 it is in the package python3.11.' >&2
    exit 1
}

once() {
    # once NAME INPUT... -- COMMAND...: run COMMAND unless it has run with the same content in the INPUT files.
    local stamp=.venv/stamps/$1 inputs=() sum
    shift
    while [[ $1 != -- ]]; do
        inputs+=("$1")
        shift
    done
    shift
    sum=$(sha256sum "${inputs[@]}")
    if [[ ! -f $stamp || $(<"$stamp") != "$sum" ]]; then
        echo "Setting up .venv: ${stamp##*/}"
        "$@"
        mkdir -p .venv/stamps
        echo "$sum" >"$stamp"
    fi
}

make_venv() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        install_debian python3.11-venv
    fi
    "$python" -m venv --clear .venv
}

install_uv() {
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
}

install_pins() {
    # Compiled here, whatever the environment says of bytecode: a restart's time is mostly that of Python's imports.
    .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r "$1"
}

install_packstone() {
    # Editable, both of them: the sources are used where they stand.
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
    echo "$PWD/engine/bindings/python" >"$(.venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/packstone-engine.pth"
}

need_libfuse() {
    # What pyfuse3 is built against.
    local headers='import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())'
    if [[ ! -e /usr/include/fuse3/fuse.h ]] || ! command -v pkg-config >/dev/null; then
        install_debian libfuse3-dev pkg-config
    fi
    if ! "$(find_python)" -c "$headers"; then
        install_debian python3.11-dev
    fi
}

need_commands 'cc:gcc libc6-dev' fusermount3:fuse3
need_libfuse
if ! command -v cargo >/dev/null; then
    echo 'Packstone needs cargo with Rust 1.95 or newer: install it with rustup, see https://rustup.rs' >&2
    exit 1
fi
# Both hang on one file: a .venv that was interrupted half-made is made again.
once venv requirements-uv.txt -- make_venv
once uv requirements-uv.txt -- install_uv
once pins requirements.txt -- install_pins requirements.txt
once packstone pyproject.toml -- install_packstone
if [[ $purpose == test ]]; then
    need_commands aws:awscli s3cmd:s3cmd rclone:rclone openssl:openssl c++:g++ git:git rsync:rsync
    need_nfs
    once test-pins requirements-dev.txt -- install_pins requirements-dev.txt
elif [[ $purpose == fuzz ]]; then
    need_commands c++:g++
fi
