#!/bin/sh
# Like the public image: POSTGRES_USER and POSTGRES_PASSWORD make the administrator at the first start.
set -eu
if [ ! -f "$PGDATA/PG_VERSION" ]; then
    password=$(mktemp)
    echo "$POSTGRES_PASSWORD" >"$password"
    initdb --username "$POSTGRES_USER" --pwfile "$password" --auth scram-sha-256 --encoding UTF8 --locale-provider builtin --locale C.UTF-8
    rm "$password"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=
