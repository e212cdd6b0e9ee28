package lyceum.bench;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The shortest loop on the JVM that keeps position and rows together: one transaction for each poll. */
final class PlainLoop {
    private static final Duration WAIT = Duration.ofSeconds(1);

    static void run(Run run) throws Exception {
        Stopwatch watch = new Stopwatch(run.events(), 1);
        Decoder decoder = new Decoder(run.schemaFile());
        Tables tables = new Tables(run);
        Batch batch = new Batch();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(run)) {
            List<TopicPartition> all = consumer.partitionsFor(run.topic()).stream()
                .map(one -> new TopicPartition(one.topic(), one.partition())).toList();
            consumer.assign(all);
            for (TopicPartition one : all) {
                consumer.seek(one, tables.nextOffset(one.partition()));
            }
            while (true) { // until the stopwatch ends the process; bench/running.py bounds it
                ConsumerRecords<byte[], byte[]> records = consumer.poll(WAIT);
                if (records.isEmpty()) {
                    continue;
                }
                watch.begin();
                for (ConsumerRecord<byte[], byte[]> one : records) {
                    batch.add(decoder.decode(one.value()), one.partition(), one.offset(), one.headers());
                }
                tables.write(batch);
                watch.add(batch.events);
                batch.clear();
            }
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Run run) {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", run.bootstrap(),
            "enable.auto.commit", false,
            "max.poll.records", Run.BATCH_RECORDS,
            "max.partition.fetch.bytes", Run.FETCH_BYTES);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private PlainLoop() {}
}
