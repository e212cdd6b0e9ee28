package lyceum.bench;

import java.io.IOException;
import java.sql.SQLException;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.StateStoreContext;
import org.apache.kafka.streams.state.StoreBuilder;

/** A store without a changelog, whose commit writes the batch of its thread to PostgreSQL. */
final class BatchStore implements StateStore {
    static final String NAME = "batch";
    /** All tasks of a thread share a connection and a batch, so that a transaction holds several partitions. */
    private static final ThreadLocal<Writer> WRITERS = new ThreadLocal<>();
    private final Run run;
    private final Stopwatch watch;
    private boolean open;

    private BatchStore(Run run, Stopwatch watch) {
        this.run = run;
        this.watch = watch;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public void init(StateStoreContext context, StateStore root) {
        context.register(root, (key, value) -> { });
        open = true;
    }

    long nextOffset(int partition) {
        try {
            return writer().tables.nextOffset(partition);
        } catch (SQLException failure) {
            throw new IllegalStateException(failure);
        }
    }

    void add(byte[] value, int partition, long offset, Headers headers) {
        Writer writer = writer();
        writer.batch.add(writer.decoder.decode(value), partition, offset, headers);
        if (writer.batch.events >= Run.BATCH_RECORDS) {
            write(writer);
        }
    }

    /** Streams calls this before it commits the offsets of the task. */
    @Override
    public void commit(Map<TopicPartition, Long> changelogOffsets) {
        write(writer());
    }

    private void write(Writer writer) {
        if (writer.batch.events == 0) {
            return;
        }
        try {
            writer.tables.write(writer.batch);
        } catch (SQLException failure) {
            throw new IllegalStateException(failure);
        }
        watch.add(writer.batch.events);
        writer.batch.clear();
    }

    private Writer writer() {
        Writer found = WRITERS.get();
        if (found == null) {
            found = new Writer(run);
            WRITERS.set(found);
        }
        return found;
    }

    @Override
    public void close() {
        open = false;
    }

    @Override
    public boolean persistent() {
        return false;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    private static final class Writer {
        final Batch batch = new Batch();
        final Tables tables;
        final Decoder decoder;

        Writer(Run run) {
            try {
                tables = new Tables(run);
                decoder = new Decoder(run.schemaFile());
            } catch (SQLException | IOException failure) {
                throw new IllegalStateException(failure);
            }
        }
    }

    record Builder(Run run, Stopwatch watch) implements StoreBuilder<BatchStore> {
        @Override
        public BatchStore build() {
            return new BatchStore(run, watch);
        }

        @Override
        public String name() {
            return NAME;
        }

        @Override
        public boolean loggingEnabled() {
            return false;
        }

        @Override
        public Map<String, String> logConfig() {
            return Map.of();
        }

        @Override
        public StoreBuilder<BatchStore> withCachingEnabled() {
            return this;
        }

        @Override
        public StoreBuilder<BatchStore> withCachingDisabled() {
            return this;
        }

        @Override
        public StoreBuilder<BatchStore> withLoggingEnabled(Map<String, String> settings) {
            throw new UnsupportedOperationException("what it holds is in PostgreSQL");
        }

        @Override
        public StoreBuilder<BatchStore> withLoggingDisabled() {
            return this;
        }
    }
}
