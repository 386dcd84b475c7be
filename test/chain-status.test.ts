import { createClient } from 'graphql-ws';
import { afterEach, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Told = readonly { readonly id: number; readonly head: number | null }[];

async function follow(url: string): Promise<Told[]> {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  closing.push(() => client.dispose());
  const told: Told[] = [];
  client.subscribe<{ chainStatus: Told }>(
    { query: 'subscription { chainStatus { id head } }' },
    { next: ({ data }) => void (data && told.push(data.chainStatus)), error: () => {}, complete: () => {} },
  );
  await until('the first message', () => told.length > 0);
  return told;
}

test('`chainStatus` tells all chains first, then those that changed, and shows life when none does', async () => {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  await ledger.lead();
  const chain = "insert into chain (chain_id, name, head_block) values (8, 'Another', 1)";
  await query(ledger.url, chain);
  const api = await startTestApi({ database: ledger.database });
  closing.push(() => api.close());
  const told = await follow(api.url);
  expect(told[0]!.map(({ id }) => id)).toEqual([7, 8]);
  await query(ledger.url, 'update chain set head_block = 2 where chain_id = 8');
  await until('the change', () => told.some((chains) => chains.some(({ head }) => head === 2)));
  const change = told.find((chains) => chains.some(({ head }) => head === 2));
  expect(change).toEqual([{ id: 8, head: 2 }]);
  await until('a sign of life', () => told.some((chains) => chains.length === 0));
  // who comes later gets the newest of all
  const late = await follow(api.url);
  expect(late[0]).toEqual([
    { id: 7, head: null },
    { id: 8, head: 2 },
  ]);
});
