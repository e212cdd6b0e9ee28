package lyceum.bench;

import java.util.Set;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.StoreBuilder;

/** Puts records into the batch of its thread; records below the stored position were applied before. */
final class BatchingProcessor implements Processor<byte[], byte[], Void, Void> {
    private final Stopwatch watch;
    private ProcessorContext<Void, Void> context;
    private BatchStore store;
    private long nextOffset;

    private BatchingProcessor(Stopwatch watch) {
        this.watch = watch;
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
        this.context = context;
        store = context.getStateStore(BatchStore.NAME);
        nextOffset = store.nextOffset(context.taskId().partition());
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        RecordMetadata place = context.recordMetadata().orElseThrow();
        if (place.offset() < nextOffset) {
            return;
        }
        watch.begin();
        store.add(record.value(), place.partition(), place.offset(), record.headers());
    }

    record Supplier(Run run, Stopwatch watch) implements ProcessorSupplier<byte[], byte[], Void, Void> {
        @Override
        public Processor<byte[], byte[], Void, Void> get() {
            return new BatchingProcessor(watch);
        }

        @Override
        public Set<StoreBuilder<?>> stores() {
            return Set.of(new BatchStore.Builder(run, watch));
        }
    }
}
