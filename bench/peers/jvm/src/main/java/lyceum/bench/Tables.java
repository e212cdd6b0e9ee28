package lyceum.bench;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Map;

/** The two tables and the consumed position in PostgreSQL: one transaction for each batch. */
final class Tables {
    private static final String PROJECTION = "bench";
    private static final String ADD_PAIRS =
        "INSERT INTO bench_pair AS t SELECT * FROM unnest(?::text[], ?::text[], ?::bigint[])"
            + " ON CONFLICT (member_id, content_id) DO UPDATE SET views = t.views + EXCLUDED.views";
    private static final String ADD_COUNTERS =
        "INSERT INTO bench_counter AS t SELECT * FROM unnest(?::text[], ?::bigint[])"
            + " ON CONFLICT (content_id) DO UPDATE SET views = t.views + EXCLUDED.views";
    private static final String MOVE =
        "INSERT INTO fold_position (projection, topic, partition, next_offset, seq, applied_at)"
            + " VALUES (?, ?, ?, ?, ?, clock_timestamp()) ON CONFLICT (projection, topic, partition) DO UPDATE"
            + " SET next_offset = EXCLUDED.next_offset, seq = EXCLUDED.seq, applied_at = EXCLUDED.applied_at"
            + " WHERE fold_position.next_offset <= ?";
    private static final String STORED =
        "SELECT next_offset FROM fold_position WHERE (projection, topic, partition) = (?, ?, ?)";
    private final Connection connection;
    private final String topic;
    private final PreparedStatement addPairs;
    private final PreparedStatement addCounters;
    private final PreparedStatement move;

    Tables(Run run) throws SQLException {
        topic = run.topic();
        connection = DriverManager.getConnection(run.url(), run.user(), run.password());
        connection.setAutoCommit(false);
        addPairs = connection.prepareStatement(ADD_PAIRS);
        addCounters = connection.prepareStatement(ADD_COUNTERS);
        move = connection.prepareStatement(MOVE);
    }

    /** The offset after the last applied one, 0 if none was. */
    long nextOffset(int partition) throws SQLException {
        try (PreparedStatement stored = connection.prepareStatement(STORED)) {
            stored.setString(1, PROJECTION);
            stored.setString(2, topic);
            stored.setInt(3, partition);
            try (ResultSet found = stored.executeQuery()) {
                long next = found.next() ? found.getLong(1) : 0;
                connection.commit();
                return next;
            }
        }
    }

    /** Write and commit what the batch adds, in the order of the keys: batches then cannot lock each other out. */
    void write(Batch batch) throws SQLException {
        writePairs(batch.pairs);
        writeCounters(batch.counters);
        for (Map.Entry<Integer, Batch.Position> entry : batch.positions.entrySet()) {
            move.setString(1, PROJECTION);
            move.setString(2, topic);
            move.setInt(3, entry.getKey());
            move.setLong(4, entry.getValue().nextOffset());
            move.setLong(5, entry.getValue().seq());
            move.setLong(6, entry.getValue().firstOffset());
            if (move.executeUpdate() == 0) {
                connection.rollback();
                throw new IllegalStateException("another has applied records of partition " + entry.getKey());
            }
        }
        connection.commit();
    }

    private void writePairs(Map<Batch.Pair, Long> pairs) throws SQLException {
        Batch.Pair[] keys = pairs.keySet().stream().sorted().toArray(Batch.Pair[]::new);
        String[] members = new String[keys.length];
        String[] contents = new String[keys.length];
        Long[] views = new Long[keys.length];
        for (int n = 0; n < keys.length; n++) {
            members[n] = keys[n].memberId();
            contents[n] = keys[n].contentId();
            views[n] = pairs.get(keys[n]);
        }
        addPairs.setArray(1, connection.createArrayOf("text", members));
        addPairs.setArray(2, connection.createArrayOf("text", contents));
        addPairs.setArray(3, connection.createArrayOf("bigint", views));
        addPairs.executeUpdate();
    }

    private void writeCounters(Map<String, Long> counters) throws SQLException {
        String[] contents = counters.keySet().stream().sorted().toArray(String[]::new);
        Long[] views = new Long[contents.length];
        for (int n = 0; n < contents.length; n++) {
            views[n] = counters.get(contents[n]);
        }
        addCounters.setArray(1, connection.createArrayOf("text", contents));
        addCounters.setArray(2, connection.createArrayOf("bigint", views));
        addCounters.executeUpdate();
    }
}
