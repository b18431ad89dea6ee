# shellcheck shell=bash
# What the scripts share: messages, Python, and the project's own virtual environment. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=$ROOT/.venv
PYTHON=$VENV/bin/python
OLDEST_PYTHON=3.11
# The caller's values of these would change which code runs.
unset PYTHONPATH PYTHONHOME PYTHONWARNINGS DJANGO_SETTINGS_MODULE

say() {
    printf '==> %s\n' "$*"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# The value of a setting: from the environment, else from the file that settings.py reads.
setting() {
    local name=$1 file=${ENV_FILE:-$ROOT/.env}
    if [[ -v $name ]]; then
        printf '%s\n' "${!name}"
    elif [[ -r $file ]]; then
        sed -nE "s/^[[:space:]]*(export[[:space:]]+)?${name}[[:space:]]*=[[:space:]]*[\"']?([^\"']*)[\"']?[[:space:]]*\$/\2/p" "$file" | tail -n 1
    fi
}

# The requirements file that the database needs.
runtime_requirements() {
    case $(setting DATABASE_URL) in
        mysql*) printf 'requirements-mysql.txt\n' ;;
        *) printf 'requirements.txt\n' ;;
    esac
}

lab() {
    PYTHON=$PYTHON "$ROOT/scripts/lab" "$@"
}

port_answers() {
    (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Print the first Python on the PATH that is new enough and can make environments; fail with one line otherwise.
find_python() {
    local candidate version found=""
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if ! "$candidate" -c "import sys; sys.exit(sys.version_info < (${OLDEST_PYTHON/./, }))" 2>/dev/null; then
            found=${found:-"; $candidate is Python $version"}
            continue
        fi
        if ! "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            found="; $candidate has no venv module (on Debian: apt-get install python3-venv)"
            continue
        fi
        printf '%s\n' "$candidate"
        return
    done
    fail "Python $OLDEST_PYTHON or newer is needed$found."
}

# The other files repeat all of requirements.txt (scripts/lock), so installing one of them installs that, too.
included_by() {
    [[ $1 == requirements.txt ]] || printf 'requirements.txt\n'
}

# What identifies an installation of a requirements file: the file, and the Python.
fingerprint() {
    (
        cd "$ROOT" || exit
        cat -- "$1"
        "$PYTHON" -c 'import sys; print(sys.version)' 2>/dev/null || printf 'none\n'
    ) | cksum
}

is_installed() {
    local stamp=$VENV/.installed-$1
    [[ -r $stamp && ! -e $VENV/.installing && $(<"$stamp") == "$(fingerprint "$1")" ]]
}

# Make the environment if there is none, or again if it does not work: it was moved, its Python is gone, or an
# installation was killed half-way.
make_environment() {
    if [[ -e $VENV/bin/python && ! -e $VENV/.installing ]] && "$PYTHON" -m pip --version >/dev/null 2>&1; then
        return
    fi
    local python
    python=$(find_python) || exit 1
    say "Making a virtual environment in $VENV with $("$python" --version)"
    "$python" -m venv --clear "$VENV" || fail "$python could not make $VENV."
}

install() {
    local file=$1 quiet=()
    [[ -t 1 ]] || quiet=(-qq --progress-bar off)
    say "Installing $file"
    : >"$VENV/.installing"
    "$PYTHON" -m pip install --disable-pip-version-check --no-input "${quiet[@]}" \
        --require-hashes -r "$ROOT/$file" ||
        fail "pip could not install $file: see its messages above.$(advice "$file")"
    local installed
    for installed in "$file" $(included_by "$file"); do
        fingerprint "$installed" >"$VENV/.installed-$installed"
    done
    rm -f "$VENV/.installing"
}

advice() {
    if [[ $1 == requirements-mysql.txt ]]; then
        printf ' %s' "MariaDB's driver is compiled; on Debian: apt-get install build-essential pkg-config libmariadb-dev python3-dev"
    fi
}

# Install each requirements file whose present version is not installed. Two scripts at once take turns.
ensure_installed() {
    local file
    for file in "$@"; do
        is_installed "$file" && continue
        (
            if command -v flock >/dev/null; then flock 9; fi
            if ! is_installed "$file"; then
                make_environment
                install "$file"
            fi
        ) 9<"$ROOT/scripts" || exit 1
    done
}
