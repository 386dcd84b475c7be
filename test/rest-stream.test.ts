import { EventSource } from 'eventsource';
import { afterEach, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { Database } from '#libs/database/database.js';
import type { Change } from './services/api.js';
import { Doorbell, startTestApi } from './services/api.js';
import { block, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { get } from './services/rest.js';
import { until } from './services/until.js';

const EVENTS = '/socket-bridge-events';
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(ledger?: LedgerFixture, port?: number) {
  const kept = ledger ?? (await LedgerFixture.create(inject('postgresUrl')));
  if (!ledger) closing.push(() => kept.close());
  const doorbell = new Doorbell();
  const api = await startTestApi({ database: kept.database, broker: doorbell, port });
  closing.push(() => api.close());
  return { ledger: kept, api, doorbell };
}

/** What a browser does with a stream, folded. */
class Listener {
  readonly events = new Map<string, string>();
  readonly repeats: string[] = [];
  readonly problems: string[] = [];
  cursor = '';
  opened = 0;
  readonly source: EventSource;

  constructor(api: RunningApi, query = '') {
    this.source = new EventSource(`${api.url}/api${EVENTS}/stream${query}`);
    closing.push(() => this.source.close());
    this.source.onopen = () => void this.opened++;
    this.source.addEventListener('problem', (event) => void this.problems.push(event.data));
    this.source.onmessage = (event) => {
      const { cursor, changes } = JSON.parse(event.data) as { cursor: string; changes: readonly Change[] };
      expect(event.lastEventId).toBe(cursor);
      this.cursor = cursor;
      for (const { type, node } of changes) {
        if (type === 'REMOVED') this.events.delete(node.id);
        else if (this.events.get(node.id) === node.blockHash) this.repeats.push(node.id);
        else this.events.set(node.id, node.blockHash);
      }
    };
  }
}

test('an EventSource whose server is restarted goes on where it was: nothing is lost, nothing told twice', async () => {
  const { ledger, api, doorbell } = await start();
  const { term } = await ledger.lead();
  const listener = new Listener(api, '?since=0');
  const news = async (n: number, ring: Doorbell) =>
    ring.ring(
      (await ledger.apply(term, n, { above: n - 1, blocks: [block(n, 'a', [{ tx: `t${n}` }])] })).position,
    );
  for (const n of [1, 2, 3]) await news(n, doorbell);
  await until('the first events', () => listener.events.size === 3);
  const port = Number(new URL(api.url).port);
  await api.close();
  for (const n of [4, 5]) await news(n, doorbell);
  const again = await start(ledger, port);
  await until('the events of the time in between', () => listener.events.size === 5);
  await news(6, again.doorbell);
  await until('the events since', () => listener.events.size === 6);
  expect(listener.opened).toBe(2);
  expect(listener.repeats).toEqual([]);
});

test('a stream since the asOf of a page tells what came later, with removals and filters', async () => {
  const { ledger, api } = await start();
  const { term } = await ledger.lead();
  const blocks = [block(5, 'a', [{ tx: 'a', amount: 5n }]), block(6, 'a', [{ tx: 'b', amount: 6n }])];
  await ledger.apply(term, 1, { above: 4, blocks });
  const { body } = await get(api.url, EVENTS);
  const listener = new Listener(api, `?since=${body.asOf}&amount.gte=6`);
  for (const node of body.nodes) listener.events.set(node.id, node.blockHash);
  const other = [
    block(
      6,
      'b',
      [
        { tx: 'c', amount: 7n },
        { tx: 'd', amount: 1n },
      ],
      'a',
    ),
  ];
  await ledger.apply(term, 2, { above: 5, blocks: other });
  await until('the change', () => [...listener.events.values()].includes(hashOf(6, 'b')));
  const page = await get(api.url, EVENTS);
  const wanted = page.body.nodes.filter((node: { amount: string }) => node.amount !== '1');
  await until('the removal', () => listener.events.size === wanted.length);
  expect(Object.fromEntries(listener.events)).toEqual(
    Object.fromEntries(wanted.map((node: { id: string; blockHash: string }) => [node.id, node.blockHash])),
  );
});

test('a stream of final events tells each once, when it is final', async () => {
  const { ledger, api } = await start();
  const { term } = await ledger.lead();
  const listener = new Listener(api, '?since=0&finality=FINALIZED');
  const blocks = [5, 6].map((n) => block(n, 'a', [{ tx: `t${n}` }]));
  await ledger.apply(term, 1, { above: 4, blocks });
  await until('the place', () => listener.cursor);
  expect(listener.events.size).toBe(0);
  await ledger.apply(term, 2, { final: 5, hash: hashOf(5, 'a') });
  await until('the final event', () => listener.events.size === 1);
});

test('bad input is told before a stream begins, by status, and an EventSource gives up', async () => {
  const { ledger, api } = await start();
  await ledger.lead();
  const page = (await get(api.url, EVENTS)).body;
  for (const [query, message] of [
    ['since=nonsense', /not a feed cursor/],
    ['where={"finality":{"eq":"FINALIZED"}}', /its argument `finality`/],
    ['finality=FINALIZED&batchSize=0', /batchSize must be/],
    ['finality.eq=FINALIZED', /its argument `finality`/],
    ['sinse=0', /did you mean since\?/],
  ] as const) {
    const { status, body } = await get(api.url, `${EVENTS}/stream?${query}`);
    expect([status, body.error.code]).toEqual([400, 'BAD_USER_INPUT']);
    expect(body.error.message).toMatch(message);
  }
  const foreign = await get(
    api.url,
    `${EVENTS}/stream?since=${page.asOf}`,
    {},
    { headers: { 'last-event-id': 'x' } },
  );
  expect(foreign.status).toBe(400);
  const listener = new Listener(api, '?since=nonsense');
  await until('the end', () => listener.source.readyState === EventSource.CLOSED);
});

test('an EventSource that comes back while the database is away is told to come again, and does', async () => {
  const { ledger, api } = await start();
  const { term } = await ledger.lead();
  const listener = new Listener(api, '?since=0');
  await until('the place', () => listener.cursor);
  const port = Number(new URL(api.url).port);
  await api.close();
  const nothing = Database.open('postgresql://nobody:secret@127.0.0.1:1/nothing');
  closing.push(() => nothing.close());
  const away = await startTestApi({ database: nothing, port });
  const codes = () => listener.problems.map((problem) => JSON.parse(problem).error.code);
  await until('the problem', () => codes().includes('DATABASE_UNAVAILABLE'));
  await away.close();
  await ledger.apply(term, 1, { above: 4, blocks: [block(5, 'a', [{ tx: 'a' }])] });
  await start(ledger, port);
  await until('the event', () => listener.events.size === 1);
});

test('a client that leaves takes its subscription with it', async () => {
  const { ledger, api } = await start();
  await ledger.lead();
  const subscribers = async () => {
    const text = await (await fetch(`${api.url}/metrics`)).text();
    return Number(/^event_monitor_subscribers\{[^}]*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  const before = await subscribers();
  const listener = new Listener(api);
  await until('the subscriber', async () => (await subscribers()) === before + 1);
  listener.source.close();
  await until('its end', async () => (await subscribers()) === before);
  expect((await get(api.url, `${EVENTS}/stream`, {}, { method: 'HEAD' })).status).toBe(200);
  await until('no more', async () => (await subscribers()) === before);
});
