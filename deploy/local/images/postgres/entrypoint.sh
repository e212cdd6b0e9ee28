#!/bin/sh
# Like the public image: POSTGRES_USER, and POSTGRES_PASSWORD or the file that POSTGRES_PASSWORD_FILE names, make the
# administrator at the first start.
set -eu
if [ "$1" = postgres ] && [ ! -f "$PGDATA/PG_VERSION" ]; then
    password=$(mktemp)
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then cat "$POSTGRES_PASSWORD_FILE"; else echo "$POSTGRES_PASSWORD"; fi >"$password"
    initdb --username "$POSTGRES_USER" --pwfile "$password" --auth scram-sha-256 --encoding UTF8 --locale-provider builtin --locale C.UTF-8
    rm "$password"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
[ "$1" = postgres ] || exec "$@"
exec "$@" -c listen_addresses='*' -c unix_socket_directories=
