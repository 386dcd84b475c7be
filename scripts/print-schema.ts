import '#libs/telemetry/node-version.js';
import { readFileSync, writeFileSync } from 'node:fs';
import { buildApiSchema, schemaText } from '#apps/api/schema.js';

const FILE = 'schema.graphql';
// nothing is resolved: the schema is made from the definitions alone, without a database
const text = schemaText(buildApiSchema({} as Parameters<typeof buildApiSchema>[0]));

if (process.argv.includes('--check')) {
  if (readFileSync(FILE, 'utf8') !== text) {
    process.stderr.write(`${FILE} is not what the code says: run npm run schema and commit it\n`);
    process.exit(1);
  }
} else {
  writeFileSync(FILE, text);
}
