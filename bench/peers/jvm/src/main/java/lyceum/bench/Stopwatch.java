package lyceum.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Locale;

/**
 * Times from the first batch to the last. When all events are done, prints events and seconds, as bench/stopwatch.py
 * does, and ends the process.
 */
final class Stopwatch {
    private final long events;
    private final int parts;
    private long done;
    private final OperatingSystemMXBean process =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private long startedNanos;
    private long startedCpuNanos;
    private long halfNanos;
    private long halfDone;

    /** An event is done once each of so many parts is: a sink for each table, for example. */
    Stopwatch(long events, int parts) {
        this.events = events * parts;
        this.parts = parts;
    }

    /** Start timing at the first batch; later calls change nothing. */
    synchronized void begin() {
        if (startedNanos == 0) {
            startedNanos = System.nanoTime();
            startedCpuNanos = process.getProcessCpuTime();
        }
    }

    /** Count so many more parts of events as done: written and committed. */
    synchronized void add(long count) {
        done += count;
        long now = System.nanoTime();
        if (halfNanos == 0 && 2 * done >= events) {
            halfNanos = now;
            halfDone = done;
        }
        if (done >= events) {
            System.out.printf(
                Locale.ROOT,
                "{\"events\": %d, \"seconds\": %.6f, \"later_events\": %d, \"later_seconds\": %.6f,"
                    + " \"cpu_seconds\": %.6f}%n",
                done / parts, seconds(startedNanos, now), (done - halfDone) / parts, seconds(halfNanos, now),
                seconds(startedCpuNanos, process.getProcessCpuTime()));
            System.out.flush();
            Runtime.getRuntime().halt(0);
        }
    }

    private static double seconds(long from, long to) {
        return (to - from) / 1e9;
    }
}
