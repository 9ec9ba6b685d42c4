#!/usr/bin/env bash
# Every check that needs no running product, all of them also when one has failed; `make lint` and .ci/run call it.
set -uo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Settings are read on a scratch installation, as one that serves HTTPS, which check --deploy asks for.
export OMIL_DATA_DIR="$scratch" OMIL_HOSTS=omil.example DATABASE_URL='' REDIS_URL='' YOLO_OFFLINE=1
failed=()

check() {
    local name=$1
    shift
    if ! "$@" >"$scratch/output" 2>&1; then
        failed+=("$name")
        printf '%s: FAILED\n' "$name"
        sed 's/^/    /' "$scratch/output"
    else
        printf '%s: ok\n' "$name"
    fi
}

each_module() {
    local file
    while IFS= read -r file; do
        node --input-type=module --check <"$file" || { echo "in $file"; return 1; }
    done < <(find static -name '*.js')
}

each_catalogue() {
    local file
    while IFS= read -r file; do
        msgfmt --check --output-file=/dev/null "$file" || return 1
    done < <(find locale -name '*.po')
}

templates() { find . -path ./.venv -prune -o -name '*.html' -path '*templates*' -print; }

check "ruff check" ruff check --quiet .
check "ruff format" ruff format --check --quiet --diff .
check "mypy" mypy --no-error-summary .
check "import-linter" lint-imports --no-cache
check "codespell" codespell
# shellcheck disable=SC2046  # No template has a space in its name.
check "djade" djade --check --target-version 5.2 $(templates)
check "migrations" python manage.py makemigrations --check --dry-run
check "check --deploy" python manage.py check --deploy --fail-level WARNING
check "shell scripts" bash -n scripts/setup.sh scripts/lint.sh scripts/with_postgresql.sh .ci/run
if command -v node >/dev/null; then check "JavaScript modules" each_module; fi
[ ! -d locale ] || check "catalogues" each_catalogue

if [ ${#failed[@]} -gt 0 ]; then
    printf 'lint: %d of the checks failed: %s\n' "${#failed[@]}" "$(IFS=,; echo "${failed[*]}")"
    exit 1
fi
