package lyceum.bench;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;

/** What a batch adds to the two tables, and where it ends on each partition. */
final class Batch {
    record Pair(String memberId, String contentId) implements Comparable<Pair> {
        @Override
        public int compareTo(Pair other) {
            int order = memberId.compareTo(other.memberId);
            return order != 0 ? order : contentId.compareTo(other.contentId);
        }
    }

    record Position(long firstOffset, long nextOffset, Headers headers) {
        /** The number that the relay gave to the last event. */
        long seq() {
            Header found = headers.lastHeader("ce_sequence");
            return Long.parseLong(new String(found.value(), StandardCharsets.UTF_8));
        }
    }

    final Map<Pair, Long> pairs = new HashMap<>();
    final Map<String, Long> counters = new HashMap<>();
    final Map<Integer, Position> positions = new HashMap<>();
    int events;

    void add(GenericRecord event, int partition, long offset, Headers headers) {
        String contentId = event.get("content_id").toString();
        pairs.merge(new Pair(event.get("member_id").toString(), contentId), 1L, Long::sum);
        counters.merge(contentId, 1L, Long::sum);
        Position before = positions.get(partition);
        positions.put(partition, new Position(before == null ? offset : before.firstOffset(), offset + 1, headers));
        events++;
    }

    void clear() {
        pairs.clear();
        counters.clear();
        positions.clear();
        events = 0;
    }
}
