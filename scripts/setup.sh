#!/usr/bin/env bash
# Prepares what `make run` (argument: run) or `make test` and its like (argument: dev) need: system packages, then .venv.
# A second call finds its stamp and does nothing. Packages are installed by apt only where one is missing and we are root.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?"usage: scripts/setup.sh run|dev"}

say() { printf 'setup: %s\n' "$*" >&2; }

# --- System packages ---------------------------------------------------------------------------------------------------

missing=()
has() { command -v "$1" >/dev/null 2>&1; }
has_library() { { /sbin/ldconfig -p 2>/dev/null || true; } | grep -qF "$1"; }
# Any that detections/lettering.py looks for; without one, names in Hangul could not be drawn into pictures.
has_hangul() {
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts ~/.local/share/fonts ~/.fonts 2>/dev/null \( -name 'NanumGothic*.ttf' \
        -o -name 'NanumBarunGothic*.ttf' -o -name 'NotoSansCJK-*.ttc' -o -name 'NotoSansKR-*.otf' \) -print -quit)" ]
}
needs() { missing+=("$1"); }
# Which of GStreamer's elements and libraries the tests' RTSP server finds, through the system's own Python.
has_gst() {
    /usr/bin/python3 -c 'import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
sys.exit(any(Gst.ElementFactory.find(name) is None for name in sys.argv[1:]))' "$@" >/dev/null 2>&1
}

is_new_enough() { "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
find_python() {
    local name
    for name in python3.11 python3.12 python3.13 python3 /usr/bin/python3; do
        if has "$name" && is_new_enough "$name"; then command -v "$name"; return; fi
    done
    return 1
}

packages_missing() {
    missing=()
    if ! find_python >/dev/null; then
        # Ubuntu 22.04 calls Python 3.10 python3 and has 3.11 beside it.
        if has python3 && python3 -c 'import sys; sys.exit(sys.version_info >= (3, 11))'; then
            needs python3.11; needs python3.11-venv
        else
            needs python3; needs python3-venv
        fi
    fi
    has msgfmt || needs gettext
    has_library libGL.so.1 || needs libgl1
    # Ubuntu 24.04 gave the package a new name.
    has_library libgthread-2.0.so.0 || needs 'libglib2.0-0t64|libglib2.0-0'
    has setpriv || needs util-linux
    has_hangul || needs fonts-nanum
    if [ "$kind" = dev ]; then
        has chromium || has google-chrome || needs chromium
        has certutil || needs libnss3-tools
        compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || needs postgresql
        has ffmpeg || needs ffmpeg
        has ps || needs procps
        if ! has_gst qtdemux rtph264pay rtph265pay h264parse h265parse; then
            needs gir1.2-gst-rtsp-server-1.0; needs python3-gi
            needs gstreamer1.0-plugins-good; needs gstreamer1.0-plugins-bad
        fi
        { has fc-list && [ -n "$(fc-list :lang=ko family)" ]; } || { needs fontconfig; needs fonts-nanum; }
    fi
    [ ${#missing[@]} -gt 0 ]
}

# Of "new|old" the first that apt knows.
known() {
    local name
    for name in ${1//|/ }; do
        if apt-cache show "$name" >/dev/null 2>&1; then echo "$name"; return; fi
    done
    echo "${1##*|}"
}

if packages_missing; then
    names=()
    if ! has apt-get; then
        say "missing on this system: ${missing[*]} (names of Debian's packages). Install them and try again."
        exit 1
    fi
    if [ "$(id -u)" = 0 ]; then
        say "installing ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        for name in "${missing[@]}"; do names+=("$(known "$name")"); done
        apt-get install -y -qq --no-install-recommends "${names[@]}" >/dev/null
    else
        for name in "${missing[@]}"; do names+=("$(known "$name")"); done
        say "these packages are missing; install them and try again:"
        say "    sudo apt-get update && sudo apt-get install -y ${names[*]}"
        exit 1
    fi
    if packages_missing; then
        say "still missing after the installation: ${missing[*]}"
        exit 1
    fi
fi

# --- Python packages ---------------------------------------------------------------------------------------------------

exec 9<.  # One set-up at a time in this folder; the lock goes with the process.
flock 9

files=(requirements-torch.txt requirements.txt)
[ "$kind" = run ] || files+=(requirements-dev.txt)
wanted=$(cat "${files[@]}" scripts/setup.sh | sha256sum | cut -d' ' -f1)
stamp=.venv/.omil-$kind
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input "$@"; }

if ! pip --version >/dev/null 2>&1; then
    say "making .venv"
    "$(find_python)" -m venv --clear .venv
fi
rm -f .venv/.omil-*

# torch comes without hashes, for which build is right depends on the machine: with an NVIDIA GPU the usual one with its
# CUDA libraries; otherwise the much smaller one for the CPU, from the configured sources or from PyTorch's own.
torch=$(grep -oE '^torch==[0-9.]+' requirements-torch.txt)
if [ "$(pip list --format freeze 2>/dev/null | grep -oE '^torch==[0-9.]+' || true)" != "$torch" ]; then
    if has nvidia-smi && nvidia-smi -L >/dev/null 2>&1; then
        say "installing $torch for the GPU (some GB, once)"
        pip install -qq "$torch"
    else
        say "installing $torch for the CPU (some 200 MB, once)"
        pip install -qq --no-deps "$torch+cpu" 2>/dev/null ||
            pip install -qq --no-deps --retries 1 --timeout 15 \
                --index-url "${OMIL_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}" "$torch" 2>/dev/null ||
            { say "no build for the CPU can be reached; installing the usual one (some GB)"; pip install -qq "$torch"; }
    fi
fi

say "installing the Python packages (some 500 MB, once)"
pip install -qq --require-hashes --no-deps -r requirements.txt
[ "$kind" = run ] || pip install -qq --require-hashes --no-deps -r requirements-dev.txt

[ "$kind" = run ] || cat requirements-torch.txt requirements.txt scripts/setup.sh | sha256sum | cut -d' ' -f1 >.venv/.omil-run
echo "$wanted" >"$stamp"
