package lyceum.bench;

/** `PEER JDBC_URL BOOTSTRAP TOPIC EVENTS SCHEMA_FILE`: folds the topic, prints the time, and ends the process. */
public final class Main {
    public static void main(String[] told) throws Exception {
        Run run = Run.of(told);
        switch (told[0]) {
            case "jvm-loop" -> PlainLoop.run(run);
            case "kafka-streams" -> StreamsFold.run(run);
            case "kafka-connect" -> ConnectSink.run(run);
            default -> throw new IllegalArgumentException("no peer is called " + told[0]);
        }
    }

    private Main() {}
}
