package lyceum.bench;

import io.debezium.connector.jdbc.JdbcSinkConnector;
import io.debezium.connector.jdbc.JdbcSinkConnectorTask;
import java.util.Collection;
import java.util.Map;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkRecord;

/** Debezium's JDBC sink with a stopwatch: its `put` returns once the records are committed. */
public final class TimedSink extends JdbcSinkConnector {
    @Override
    public Class<? extends Task> taskClass() {
        return TimedTask.class;
    }

    /** The task with the stopwatch; the process ends with the first failure, where Connect would wait for an operator. */
    public static final class TimedTask extends JdbcSinkConnectorTask {
        @Override
        public void start(Map<String, String> settings) {
            orEnd(() -> super.start(settings));
            ConnectSink.starting.countDown();
        }

        @Override
        public void put(Collection<SinkRecord> records) {
            orEnd(() -> super.put(records));
            if (getLastProcessingException() != null) {
                end(getLastProcessingException());
            }
            ConnectSink.watch.add(records.size());
        }

        private static void orEnd(Runnable step) {
            try {
                step.run();
            } catch (RuntimeException failure) {
                end(failure);
            }
        }

        private static void end(Throwable failure) {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
    }
}
