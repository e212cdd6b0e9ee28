package lyceum.bench;

import java.nio.file.Path;

/** What one run of a peer is told. `url` is a JDBC URL with the schema; the account comes by the environment. */
record Run(String url, String user, String password, String bootstrap, String topic, long events, Path schemaFile) {
    /** Records of a batch, for every peer. */
    static final int BATCH_RECORDS = 8000;
    /** A partition's part of a fetch: some batches. */
    static final int FETCH_BYTES = 4 << 20;

    private static final String SCHEMA = "currentSchema=";

    static Run of(String[] told) {
        String user = System.getenv("BENCH_DB_USER");
        String password = System.getenv("BENCH_DB_PASSWORD");
        return new Run(told[1], user, password, told[2], told[3], Long.parseLong(told[4]), Path.of(told[5]));
    }

    /** The schema that the URL names. */
    String schema() {
        return url.substring(url.indexOf(SCHEMA) + SCHEMA.length());
    }
}
