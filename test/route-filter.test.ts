import { id } from 'ethers';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { bridgeNameOf } from '#libs/events/socket-gateway/bridge-names.js';
import { askData, Follower, startTestApi } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

let ledger: LedgerFixture;
let api: RunningApi;

/** Transactions by the route that they take; the last two have ids that nobody has named yet. */
const routes = { hop: 'Hop', cctp: 'cctp-v2', named: 'RouteOfTomorrow', opaque: `0x${'ab'.repeat(32)}` };
const idOf = (route: string) => (route.startsWith('0x') ? route : id(route));

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  const logs = Object.keys(routes).map((tx, index) => ({ tx, index }));
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a', logs)] });
  for (const [tx, route] of Object.entries(routes)) {
    const bridgeName = idOf(route);
    await query(
      ledger.url,
      `update socket_bridge_event set bridge_name = $1::text::bytea, bridge = $2 where tx_hash = $3::text::bytea`,
      [`\\x${bridgeName.slice(2)}`, bridgeNameOf(bridgeName), `\\x${id(tx).slice(2)}`],
    );
  }
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

const nameOf = new Map(Object.keys(routes).map((tx) => [id(tx), tx]));
const names = (nodes: readonly { id: string }[]) =>
  nodes.map((node) => nameOf.get(node.id.split(':')[1]!)!).sort();

async function page(bridge: object): Promise<string[]> {
  const text =
    'query ($where: SocketBridgeEventWhere) { socketBridgeEvents(where: $where) { nodes { id } } }';
  const data = await askData(api.url, text, { where: { bridge } });
  return names(data.socketBridgeEvents.nodes);
}

async function feed(bridge: object): Promise<string[]> {
  const follower = new Follower(api.url, { since: '0', where: { bridge } });
  // the first message tells the place, the second what was stored until now
  await until('the stored changes', () => follower.changes.length > 0);
  await follower.close();
  return names(follower.changes.map(({ node }) => node));
}

const found: readonly [title: string, filter: object, wanted: readonly string[]][] = [
  ['its name', { eq: 'Hop' }, ['hop']],
  ['its name in another letter case', { in: ['hOP', 'CCTP-V2'] }, ['cctp', 'hop']],
  ['its id', { eq: id('Hop') }, ['hop']],
  [
    'its id in upper case, beside a name',
    { in: [`0x${id('Hop').slice(2).toUpperCase()}`, 'cctp-v2'] },
    ['cctp', 'hop'],
  ],
  ['a name that is not known, of which the rows hold the hash', { eq: 'RouteOfTomorrow' }, ['named']],
  ['an id that nobody has named', { eq: `0x${'AB'.repeat(32)}` }, ['opaque']],
  ['not being this or that, in any spelling', { notIn: ['hop', id('cctp-v2')] }, ['named', 'opaque']],
  ['not being one', { ne: id('Hop') }, ['cctp', 'named', 'opaque']],
];

test.each(found)('a route is found by %s, in pages and in the live feed', async (_title, filter, wanted) => {
  expect(await page(filter)).toEqual(wanted);
  expect(await feed(filter)).toEqual(wanted);
});

test('a text that is no route finds nothing', async () => {
  expect(await page({ in: ['Ho', '0x12', ''] })).toEqual([]);
});
