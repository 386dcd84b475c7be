import '#libs/telemetry/node-version.js';
import { buildApiSchema, schemaText } from '#apps/api/graphql/schema.js';
import { events } from '#libs/events/registry.js';
import { writeOrCheck } from './generated-file.js';

// nothing is resolved: the schema is made from the definitions alone, without a database
const text = schemaText(buildApiSchema(events, {} as Parameters<typeof buildApiSchema>[1]));
writeOrCheck({ 'schema.graphql': text }, 'npm run schema');
