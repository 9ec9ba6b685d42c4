#!/usr/bin/env bash
# Runs a command with DATABASE_URL naming a fresh PostgreSQL of its own, from Debian's packages, gone afterwards:
#     scripts/with_postgresql.sh make test
set -euo pipefail
bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1) || { echo "PostgreSQL is not installed" >&2; exit 1; }
folder=$(mktemp -d)
as_owner=()
if [ "$(id -u)" = 0 ]; then  # PostgreSQL refuses to run as root.
    chown postgres: "$folder"
    as_owner=(setpriv --reuid postgres --regid postgres --init-groups --)
fi
cd "$folder"
stop() {
    "${as_owner[@]}" "$bin/pg_ctl" -D "$folder/data" -m immediate -s -w stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP
"${as_owner[@]}" "$bin/initdb" -D "$folder/data" -U omil -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
# Only a socket in its own folder: no port to collide with another cluster. What survives a crash is of no interest.
"${as_owner[@]}" "$bin/pg_ctl" -D "$folder/data" -s -w -l "$folder/log" \
    -o "-c listen_addresses='' -c unix_socket_directories='$folder' -c fsync=off -c full_page_writes=off" start ||
    { cat "$folder/log" >&2; exit 1; }
chmod 755 "$folder"
cd "$OLDPWD"
DATABASE_URL="postgres://omil@${folder//\//%2F}/postgres" "$@"
