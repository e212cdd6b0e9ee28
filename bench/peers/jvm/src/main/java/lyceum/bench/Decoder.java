package lyceum.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/** Reads Avro's single-object encoding: a marker of 2 bytes, the schema's fingerprint in 8 bytes, then the datum. */
final class Decoder {
    private static final short MARKER = (short) 0xC301;
    private static final int HEADER_BYTES = 10;
    private final GenericDatumReader<GenericRecord> reader;
    private final long fingerprint;
    private BinaryDecoder reused;
    private GenericRecord record;

    Decoder(Path schemaFile) throws IOException {
        Schema schema = new Schema.Parser().parse(schemaFile.toFile());
        reader = new GenericDatumReader<>(schema);
        fingerprint = SchemaNormalization.parsingFingerprint64(schema);
    }

    /** The event; the next call overwrites it. Throws IllegalArgumentException if another schema wrote it. */
    GenericRecord decode(byte[] value) {
        ByteBuffer header = ByteBuffer.wrap(value);
        if (header.getShort() != MARKER || header.order(ByteOrder.LITTLE_ENDIAN).getLong() != fingerprint) {
            throw new IllegalArgumentException("not in single-object encoding, or written with another schema");
        }
        reused = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, value.length - HEADER_BYTES, reused);
        try {
            record = reader.read(record, reused);
        } catch (IOException broken) {
            throw new IllegalArgumentException("not a datum of the schema", broken);
        }
        return record;
    }
}
