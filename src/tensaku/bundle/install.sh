#!/bin/sh
# Installs Tensaku @VERSION@ from this folder alone; no network is used.
#
#   ./install.sh DIR          into DIR (made if it is not there)
#   ./install.sh DIR --demo   and walk the demonstration there: raw files to a tailored model, without a page
#   ./install.sh --check      only see whether this bundle is whole
set -eu

fail() {
    echo "install.sh: $1" >&2
    exit 2
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=''
demo=''
check=''
for word in "$@"; do
    case $word in
    --check) check=yes ;;
    --demo) demo=yes ;;
    -*) fail "there is no option $word; use: ./install.sh DIR [--demo], or ./install.sh --check" ;;
    *) [ -z "$dir" ] || fail "one folder is enough, and these are two: $dir, $word"; dir=$word ;;
    esac
done
[ -n "$dir$check" ] || fail 'where to? Use: ./install.sh DIR [--demo]'

# -- is it whole? ----------------------------------------------------------------------------------------------------
[ -s "$here/SHA256SUMS" ] || fail "this bundle is incomplete: SHA256SUMS is missing. Copy it again from where it was made"
if ! told=$(cd "$here" && LC_ALL=C sha256sum --check --quiet --strict SHA256SUMS 2>/dev/null); then
    n=$(printf '%s\n' "$told" | grep -c . || true)
    first=$(printf '%s\n' "$told" | head -n 1 | sed 's/: FAILED open or read$/ is missing/; s/: FAILED$/ is damaged/')
    fail "this bundle is damaged or incomplete: ${first:-SHA256SUMS itself is damaged} ($n in all). Copy it again from where it was made"
fi
echo "The bundle is whole. Hold this against what was noted when it was made:"
sha256sum "$here/SHA256SUMS" | cut -d ' ' -f 1
[ -z "$check" ] || exit 0

# -- does it fit this machine? ----------------------------------------------------------------------------------------
[ "$(uname -s)" = "@SYSTEM@" ] && [ "$(uname -m)" = "@MACHINE@" ] ||
    fail "this bundle is for @SYSTEM@ on @MACHINE@, and this is $(uname -s) on $(uname -m). Make one on a machine like this"
python=''
for name in python@PYTHON@ python3; do
    if "$name" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "@PYTHON@")' 2>/dev/null; then
        python=$name
        break
    fi
done
[ -n "$python" ] || fail 'Python @PYTHON@ is needed and not here. Install it first (on Debian: python@PYTHON@ and python@PYTHON@-venv)'
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$python cannot make a virtual environment. Install its venv package first (on Debian: python@PYTHON@-venv)"

# -- install ----------------------------------------------------------------------------------------------------------
mkdir -p "$dir" 2>/dev/null && [ -w "$dir" ] || fail "$dir cannot be written. Name another folder"
dir=$(CDPATH='' cd -- "$dir" && pwd)
unset PYTHONPATH PYTHONHOME
if [ -e "$dir/.whole" ] && [ "$(cat "$dir/.whole")" = "$(sha256sum "$here/SHA256SUMS" | cut -d ' ' -f 1)" ]; then
    echo "It is installed in $dir already."
else
    rm -f "$dir/.whole"
    log=$dir/install.log
    "$python" -m venv --clear "$dir/venv" >"$log" 2>&1 || fail "no virtual environment could be made in $dir; see $log"
    echo "Installing $(grep -c . "$here/requirements.txt") packages (some minutes) ..."
    # Nothing that this machine's pip is told otherwise counts: these files, by these hashes, and nothing else.
    PIP_CONFIG_FILE=/dev/null "$dir/venv/bin/python" -m pip --isolated install --no-index --no-deps --require-hashes \
        --disable-pip-version-check --no-cache-dir --find-links "$here/wheels" -r "$here/requirements.txt" >>"$log" 2>&1 ||
        fail "the packages could not be installed: $(grep '^ERROR' "$log" | tail -n 1). Everything that pip said is in $log"
    sha256sum "$here/SHA256SUMS" | cut -d ' ' -f 1 >"$dir/.whole"
fi
"$dir/venv/bin/tensaku" --version
if [ -n "$demo" ]; then
    "$dir/venv/bin/tensaku" demo "$dir/demo" --no-serve
else
    echo "Go on with: $dir/venv/bin/tensaku demo $dir/demo"
fi
