package lyceum.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.storage.Converter;

/** Single-object Avro to what a sink takes: the columns of both tables, with 1 view. */
public final class ViewsConverter implements Converter {
    private static final Schema ROW = SchemaBuilder.struct()
        .field("member_id", Schema.STRING_SCHEMA)
        .field("content_id", Schema.STRING_SCHEMA)
        .field("views", Schema.INT64_SCHEMA)
        .build();
    private Decoder decoder;

    @Override
    public void configure(Map<String, ?> settings, boolean isKey) {
        try {
            decoder = new Decoder(ConnectSink.run.schemaFile());
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @Override
    public SchemaAndValue toConnectData(String topic, byte[] value) {
        ConnectSink.begin();
        GenericRecord event = decoder.decode(value);
        Struct row = new Struct(ROW)
            .put("member_id", event.get("member_id").toString())
            .put("content_id", event.get("content_id").toString())
            .put("views", 1L);
        return new SchemaAndValue(ROW, row);
    }

    @Override
    public byte[] fromConnectData(String topic, Schema schema, Object value) {
        throw new UnsupportedOperationException("a sink only reads");
    }
}
