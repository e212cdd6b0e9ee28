#!/bin/sh
# Like the public image: every KAFKA_SOME_SETTING becomes some.setting; the log folder is formatted once. Writes below
# KAFKA_LOG_DIRS and /tmp only.
set -eu
export CLASSPATH='/opt/kafka/jars/*' # for Java to expand, not for the shell
java="java -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties -Dkafka.logs.dir=/tmp"
settings=/tmp/server.properties
export KAFKA_LOG_DIRS="${KAFKA_LOG_DIRS:-/var/lib/kafka/data}"

: >"$settings"
env | grep '^KAFKA_' | while IFS='=' read -r name value; do
    key=$(echo "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')
    echo "$key=$value" >>"$settings"
done

if [ ! -f "$KAFKA_LOG_DIRS/meta.properties" ]; then
    $java kafka.tools.StorageTool format --cluster-id "$($java kafka.tools.StorageTool random-uuid)" --config "$settings"
fi
exec $java kafka.Kafka "$settings"
