// Validates an AsyncAPI document with the reference parser, Avro payloads included; status 1 and each error where it
// does not hold. Also says how much it saw, so that a document that lost its content does not pass for a good one.
import { AvroSchemaParser } from '@asyncapi/avro-schema-parser';
import { DiagnosticSeverity, Parser, fromFile } from '@asyncapi/parser';

const SEVERITIES = Object.fromEntries(Object.entries(DiagnosticSeverity).map(([name, value]) => [value, name]));

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await fromFile(parser, process.argv[2]).parse();

for (const found of diagnostics.filter((found) => found.severity <= DiagnosticSeverity.Warning)) {
  console.error(`${SEVERITIES[found.severity]}: ${found.path.join('/')}: ${found.message}`);
}
const errors = diagnostics.filter((found) => found.severity === DiagnosticSeverity.Error);
if (errors.length > 0 || document === undefined) {
  console.error(`asyncapi: ${errors.length} errors in ${process.argv[2]}`);
  process.exit(1);
}
const counts = ['channels', 'operations', 'messages'].map((kind) => `${document[kind]().length} ${kind}`);
console.log(`asyncapi: ${process.argv[2]} holds: ${counts.join(', ')}`);
