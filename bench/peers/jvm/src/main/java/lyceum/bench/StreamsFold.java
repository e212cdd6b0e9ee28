package lyceum.bench;

import java.nio.file.Files;
import java.util.Properties;
import java.util.UUID;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Kafka Streams with a JDBC writer. A processor gathers a batch; a state store of its own writes it when the batch is
 * full, and at each commit, before Streams commits its offsets. So what Streams says it consumed is always written; what
 * it says too late is dropped by the position in the database.
 */
final class StreamsFold {
    private static final int COMMIT_INTERVAL_MS = 200;
    /** A second thread took as long: both wait for the same PostgreSQL on 2 cores. */
    private static final int THREADS = 1;

    static void run(Run run) throws Exception {
        Topology topology = new Topology();
        topology.addSource("views", new ByteArrayDeserializer(), new ByteArrayDeserializer(), run.topic());
        topology.addProcessor("fold", new BatchingProcessor.Supplier(run, new Stopwatch(run.events(), 1)), "views");
        KafkaStreams streams = new KafkaStreams(topology, settings(run));
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        streams.start();
    }

    private static Properties settings(Run run) throws Exception {
        Properties settings = new Properties();
        settings.put("application.id", "bench-" + UUID.randomUUID());
        settings.put("bootstrap.servers", run.bootstrap());
        settings.put("auto.offset.reset", "earliest");
        settings.put("state.dir", Files.createTempDirectory("bench-streams").toString());
        settings.put("num.stream.threads", THREADS);
        settings.put("commit.interval.ms", COMMIT_INTERVAL_MS);
        settings.put("buffered.records.per.partition", Run.BATCH_RECORDS);
        settings.put("consumer.max.poll.records", Run.BATCH_RECORDS);
        settings.put("consumer.max.partition.fetch.bytes", Run.FETCH_BYTES);
        return settings;
    }

    private StreamsFold() {}
}
