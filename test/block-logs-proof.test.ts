import { id } from 'ethers';
import { afterEach, expect, test } from 'vitest';
import { type BlockHeader, parseHeader } from '#libs/chain/block-header.js';
import { Endpoint } from '#libs/chain/endpoint.js';
import {
  blockHash,
  CONTRACT,
  FILTER,
  type RawLog,
  rawBlock,
  rawLog,
  TOPIC,
  timeOf,
} from './services/recorded-blocks.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

interface LogQuery {
  readonly blockHash: string;
  readonly address?: readonly string[];
}

/** A node with these logs by block hash; `filtered` and `unfiltered` may tell it what to answer instead. */
async function nodeWith(
  logs: readonly RawLog[],
  answers: { filtered?: (query: LogQuery) => unknown; unfiltered?: (query: LogQuery) => unknown } = {},
) {
  const ofBlock = (query: LogQuery) => logs.filter((log) => log.blockHash === query.blockHash);
  const wanted = (query: LogQuery) =>
    ofBlock(query).filter((log) => log.address === CONTRACT && log.topics[0] === TOPIC);
  const { filtered = wanted, unfiltered = ofBlock } = answers;
  const rpc = await RecordedRpc.start(
    byMethod({ eth_getLogs: (query: LogQuery) => (query.address ? filtered(query) : unfiltered(query)) }),
  );
  open.push({ close: () => rpc.stop() });
  const endpoint = new Endpoint(rpc.url, 100);
  open.push(endpoint);
  const look = (headers: BlockHeader[], bloomProvesAbsence = true) =>
    endpoint.blockLogs(headers, FILTER, { bloomProvesAbsence });
  const ask = async (headers: BlockHeader[], bloomProvesAbsence = true) =>
    (await look(headers, bloomProvesAbsence)).map(({ logs: found }) => found);
  return { rpc, ask, look };
}

const header = (number: number, logs: readonly RawLog[] = [], fields = {}) =>
  parseHeader(rawBlock(number, logs, fields))!;
const other = (number: number) =>
  rawLog(number, { address: `0x${'0a'.repeat(20)}`, topics: [id('Other()')] });
/** Together they set every bit of the wanted address and topic, yet neither is wanted. */
const lookalikes = (number: number) => [
  rawLog(number, { topics: [id('Other()')] }),
  rawLog(number, { address: `0x${'0b'.repeat(20)}`, logIndex: '0x1' }),
];

test('each block gets its own logs with its time; where the bloom says no, nothing is asked', async () => {
  const logs = [rawLog(1, { logIndex: '0x2' }), rawLog(1, { logIndex: '0x1' }), other(2), rawLog(3)];
  const headers = [1, 2, 3].map((n) =>
    header(
      n,
      logs.filter((log) => log.blockHash === blockHash(n)),
    ),
  );
  const { rpc, ask } = await nodeWith(logs);
  const found = await ask(headers);
  expect(found.map((list) => list.map((log) => [log.blockNumber, log.logIndex, log.blockTimestamp]))).toEqual(
    [
      [
        [1, 1, timeOf(1)],
        [1, 2, timeOf(1)],
      ],
      [],
      [[3, 0, timeOf(3)]],
    ],
  );
  expect(rpc.calls('eth_getLogs').map(({ params: [query] }) => (query as LogQuery).blockHash)).toEqual([
    blockHash(1),
    blockHash(3),
  ]);
});

test('a bloom that only seems to promise wanted logs is believed to be empty, with proof', async () => {
  const { rpc, ask } = await nodeWith(lookalikes(5));
  expect(await ask([header(5, lookalikes(5))])).toEqual([[]]);
  expect(rpc.calls('eth_getLogs')).toHaveLength(2);
});

test.each([
  ['answers nothing at all', { filtered: () => [], unfiltered: () => [] }],
  ['lacks one log of the block', { filtered: () => [], unfiltered: () => lookalikes(5) }],
  ['contradicts itself', { filtered: () => [] }],
  ['proves with logs of another block', { filtered: () => [], unfiltered: () => [rawLog(6)] }],
])('a lagging log index that %s is found out by the bloom', async (_, answers) => {
  const logs = [rawLog(5), { ...other(5), logIndex: '0x1' }];
  const { ask } = await nodeWith(logs, answers);
  await expect(ask([header(5, logs)])).rejects.toMatchObject({ kind: 'bad_data' });
});

test('a zero bloom proves nothing: the node is asked', async () => {
  const { rpc, ask } = await nodeWith([rawLog(5)]);
  const [found] = await ask([header(5), header(6)]);
  expect(found).toHaveLength(1);
  expect(rpc.calls('eth_getLogs')).toHaveLength(2);
});

test('where logs may be missing from blooms, every block is asked and its logs are taken', async () => {
  const hidden = rawLog(5);
  const { rpc, ask } = await nodeWith([hidden]);
  expect((await ask([header(5, [other(5)])], false))[0]).toHaveLength(1);
  expect((await ask([header(5, [other(5)])], true))[0]).toHaveLength(0);
  expect(rpc.calls('eth_getLogs')).toHaveLength(1);
});

test.each([
  ['of another block', () => [rawLog(6)]],
  ['of the same height on another branch', () => [rawLog(5, { blockHash: blockHash(5, 'b') })]],
  ['of another contract', () => [rawLog(5, { address: `0x${'bb'.repeat(20)}` })]],
  ['that is null', () => null],
])('an answer %s is bad data', async (_, filtered) => {
  const { ask } = await nodeWith([], { filtered });
  await expect(ask([header(5, [rawLog(5)])])).rejects.toMatchObject({ kind: 'bad_data' });
});

test('a node that does not know the block hash is behind', async () => {
  const { ask } = await nodeWith([], { filtered: () => new Error('unknown block') });
  await expect(ask([header(5, [rawLog(5)])])).rejects.toMatchObject({ kind: 'head_behind' });
});

/** A block so full that its bloom says "maybe" of everything, and of nothing surely. */
const saturated = (number: number, logs: readonly RawLog[] = []) =>
  header(number, logs, { logsBloom: `0x${'ff'.repeat(256)}` });

test('a saturated bloom is no reason to ask for the whole block: the empty answer is told to be unproven', async () => {
  const { rpc, look } = await nodeWith([rawLog(6)]);
  const found = await look([saturated(5), saturated(6)]);
  expect(found.map(({ logs, proven }) => [logs.length, proven])).toEqual([
    [0, false],
    [1, true],
  ]);
  expect(rpc.calls('eth_getLogs')).toHaveLength(2);
});

test.each([
  ['wants an address', 'Please specify an address in your request'],
  ['caps its answers', 'query returned more than 10000 results'],
])('an endpoint that %s cannot prove absence, and is not blamed for it', async (_, message) => {
  const { look } = await nodeWith(lookalikes(5), { unfiltered: () => new Error(message) });
  expect(await look([header(5, lookalikes(5))])).toEqual([{ logs: [], proven: false }]);
});

test('an endpoint that breaks while it is asked for a proof has failed', async () => {
  const { look } = await nodeWith(lookalikes(5), { unfiltered: () => new Error('internal error') });
  await expect(look([header(5, lookalikes(5))])).rejects.toMatchObject({ kind: 'transient' });
});

test('what is empty by the bloom or by the whole block is proven, what rests on the node’s word is not', async () => {
  const { look } = await nodeWith(lookalikes(5));
  const headers = [header(5, lookalikes(5)), header(6, [other(6)]), header(7)];
  expect((await look(headers)).map(({ proven }) => proven)).toEqual([true, true, false]);
  const hiding = await look([header(6, [other(6)])], false);
  expect(hiding.map(({ proven }) => proven)).toEqual([false]);
});
