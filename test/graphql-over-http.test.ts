import { auditServer } from 'graphql-http';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';

let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

test('GraphQL over HTTP: the audit finds no MUST and no SHOULD that fails', async () => {
  const results = await auditServer({ url: `${api.url}/graphql` });
  const failed = results.filter(({ status, name }) => status !== 'ok' && /^(MUST|SHOULD)/.test(name));
  expect(failed.map(({ name, ...result }) => [name, 'reason' in result && result.reason])).toEqual([]);
  expect(results.length).toBeGreaterThan(50);
});
