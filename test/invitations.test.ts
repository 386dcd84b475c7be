import { afterEach, expect, inject, test } from 'vitest';
import { announce, forgetGoneCandidates, invite, readLeads, withdraw } from '#libs/database/candidates.js';
import { type Leadership, renewLease, takeOver } from '#libs/database/ledger.js';
import { ADDRESS, CHAIN_ID, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A chain that the process `leader` leads, and two others that stand ready for it. */
async function ledChain() {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  const { database } = ledger;
  const source = { address: ADDRESS, event: 'SocketBridge', startBlock: 1 };
  const takes = (holder: string): Promise<Leadership | null> =>
    takeOver(database, { chainId: CHAIN_ID, chainName: 'Test', holder, sources: [source] });
  const first = (await takes('leader'))!;
  for (const process of ['ready', 'other']) await announce(database.statements, process, [CHAIN_ID]);
  const invites = (by: string, to: string) => invite(database, by, () => ({ chainId: CHAIN_ID, to }));
  const leads = (holder: string, term: number) =>
    renewLease(database.statements, { chainId: CHAIN_ID, holder, term });
  return { ledger, database, takes, invites, leads, first };
}

test('only the process that the leader has invited takes over while the lease runs; until then the leader leads', async () => {
  const { takes, invites, leads, first } = await ledChain();
  expect(await takes('ready')).toBe(null);
  await invites('leader', 'ready');
  expect(await takes('other')).toBe(null);
  expect(await leads('leader', first.term)).not.toBe(null);
  const second = await takes('ready');
  expect(second?.term).toBe(first.term + 1);
  expect(await leads('leader', first.term)).toBe(null);
  expect(await leads('ready', second!.term)).not.toBe(null);
});

test('an invitation is good for one takeover', async () => {
  const { database, takes, invites } = await ledChain();
  await announce(database.statements, 'leader', [CHAIN_ID]);
  await invites('leader', 'ready');
  expect(await takes('ready')).not.toBe(null);
  expect(await takes('leader')).toBe(null);
  await invites('ready', 'leader');
  expect(await takes('leader')).not.toBe(null);
  expect(await takes('ready')).toBe(null);
});

test('an invitation is void once it has run out, or is not of the process that leads', async () => {
  const { ledger, takes, invites } = await ledChain();
  await invites('other', 'ready');
  expect(await takes('ready')).toBe(null);
  await invites('leader', 'ready');
  await query(ledger.url, "update chain_candidate set invited_until = now() - interval '1 second'");
  expect(await takes('ready')).toBe(null);
});

test('each who invites sees what others have invited before', async () => {
  const { database } = await ledChain();
  const seen: (string | null)[][] = [];
  const look = (by: string) =>
    invite(database, by, ({ candidates }) => {
      seen.push(candidates.map(({ invitedBy }) => invitedBy).toSorted());
      return candidates.some(({ invitedBy }) => invitedBy) ? null : { chainId: CHAIN_ID, to: 'ready' };
    });
  const chosen = await Promise.all(['leader', 'leader', 'leader'].map(look));
  expect(chosen.filter(Boolean)).toHaveLength(1);
  expect(seen).toHaveLength(3);
});

test('who says no more that it stands ready is no candidate, and is forgotten', async () => {
  const { ledger, database } = await ledChain();
  const candidates = async () =>
    (await readLeads(database.statements)).candidates.map(({ process }) => process).toSorted();
  expect(await candidates()).toEqual(['other', 'ready']);
  await withdraw(database.statements, 'other');
  expect(await candidates()).toEqual(['ready']);
  await query(ledger.url, "update chain_candidate set expires_at = now() - interval '1 second'");
  expect(await candidates()).toEqual([]);
  await forgetGoneCandidates(database.statements);
  expect(await query(ledger.url, 'select process from chain_candidate')).toEqual([{ process: 'ready' }]);
  await query(ledger.url, "update chain_candidate set expires_at = now() - interval '10 minutes'");
  await forgetGoneCandidates(database.statements);
  expect(await query(ledger.url, 'select process from chain_candidate')).toEqual([]);
});
