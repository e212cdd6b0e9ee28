package lyceum.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.connect.cli.ConnectStandalone;

/**
 * Kafka Connect in this process, with one Debezium JDBC sink for each table. It upserts what a record says, 1 view:
 * no sink can add to a row, so the keys come out as the fold's and the numbers do not.
 */
final class ConnectSink {
    /** A table, its key, and its number of tasks: a member's pairs are on one partition, so two tasks cannot meet; on
     * the counters they would lock each other out, as the sink does not write in the order of the keys. */
    private record Table(String name, String key, int tasks) {}

    private static final List<Table> TABLES =
        List.of(new Table("bench_pair", "member_id,content_id", 2), new Table("bench_counter", "content_id", 1));
    private static final int START_WAIT_S = 60;
    /** Connect makes its parts by class name, so they find the run here. */
    static Run run;
    static Stopwatch watch;
    /** Time counts once every task has its connections: the first would otherwise be timed while others start. */
    static CountDownLatch starting;

    static void run(Run told) throws Exception {
        run = told;
        watch = new Stopwatch(told.events(), TABLES.size());
        starting = new CountDownLatch(TABLES.stream().mapToInt(Table::tasks).sum());
        Path folder = Files.createTempDirectory("bench-connect");
        String[] files = new String[TABLES.size() + 1];
        files[0] = written(folder.resolve("worker.properties"), worker(folder));
        int place = 1;
        for (Table table : TABLES) {
            files[place++] = written(folder.resolve(table.name()), sink(table));
        }
        new ConnectStandalone(files).run();
    }

    /** Start timing at the first record, once every task has started. */
    static void begin() {
        try {
            if (!starting.await(START_WAIT_S, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the sinks did not start within " + START_WAIT_S + " s");
            }
        } catch (InterruptedException stopped) {
            throw new IllegalStateException(stopped);
        }
        watch.begin();
    }

    private static Map<String, String> worker(Path folder) {
        Map<String, String> settings = new HashMap<>();
        settings.put("bootstrap.servers", run.bootstrap());
        settings.put("listeners", "http://127.0.0.1:0");
        settings.put("offset.storage.file.filename", folder.resolve("offsets").toString());
        settings.put("plugin.discovery", "only_scan");
        settings.put("key.converter", "org.apache.kafka.connect.converters.ByteArrayConverter");
        settings.put("value.converter", ViewsConverter.class.getName());
        settings.put("header.converter", "org.apache.kafka.connect.converters.ByteArrayConverter");
        settings.put("consumer.auto.offset.reset", "earliest");
        settings.put("consumer.max.poll.records", String.valueOf(Run.BATCH_RECORDS));
        settings.put("consumer.max.partition.fetch.bytes", String.valueOf(Run.FETCH_BYTES));
        return settings;
    }

    private static Map<String, String> sink(Table table) {
        Map<String, String> settings = new HashMap<>();
        settings.put("name", table.name() + "-" + UUID.randomUUID());
        settings.put("connector.class", TimedSink.class.getName());
        settings.put("tasks.max", String.valueOf(table.tasks()));
        settings.put("topics", run.topic());
        settings.put("connection.url", run.url());
        settings.put("connection.username", run.user());
        settings.put("connection.password", run.password());
        // With the schema: Debezium else takes the first table of that name, in whatever schema.
        settings.put("collection.name.format", run.schema() + "." + table.name());
        settings.put("primary.key.mode", "record_value");
        settings.put("primary.key.fields", table.key());
        settings.put("field.include.list", fields(table));
        settings.put("insert.mode", "upsert");
        settings.put("batch.size", String.valueOf(Run.BATCH_RECORDS));
        settings.put("use.reduction.buffer", "true");
        settings.put("dialect.postgres.unnest.insert.enabled", "true");
        return settings;
    }

    /** What the table holds, each field with its topic as Debezium wants it. */
    private static String fields(Table table) {
        return Stream.of((table.key() + ",views").split(","))
            .map(field -> run.topic() + ":" + field).collect(Collectors.joining(","));
    }

    private static String written(Path file, Map<String, String> settings) throws IOException {
        Properties properties = new Properties();
        properties.putAll(settings);
        try (var out = Files.newOutputStream(file)) {
            properties.store(out, null);
        }
        return file.toString();
    }

    private ConnectSink() {}
}
