import { fileURLToPath } from 'node:url';
import { JsonRpcProvider } from 'ethers';
import { createClient } from 'graphql-ws';
import { afterEach, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import { spawnOwned } from '#apps/local/owned-process.js';
import { codeBlocks } from './services/documented-files.js';
import { ask } from './services/graphql.js';
import { createDatabase } from './services/postgres.js';
import { ProjectCopy } from './services/project-copy.js';
import { query } from './services/query.js';
import { GATEWAY, startMinedChain } from './services/simulation.js';
import { until } from './services/until.js';

const USDC = '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48';
const PATIENCE_MS = 400_000;
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The blocks of a page, in their order; a test takes each of them, so that a new one fails it. */
function blocksOf<const T extends readonly string[]>(
  page: string,
  ...languages: T
): { [K in keyof T]: string } {
  const blocks = codeBlocks(page);
  expect(blocks.map(({ language }) => language)).toEqual(languages);
  return blocks.map(({ text }) => text) as { [K in keyof T]: string };
}

/** A copy of the project that works with an empty database. */
async function project(env: Record<string, string> = {}) {
  const { url, drop } = await createDatabase(inject('postgresUrl'));
  closing.push(drop);
  const copy = ProjectCopy.make({ DATABASE_URL: url, PORT: '0', ...env });
  closing.push(() => copy.remove());
  return { copy, databaseUrl: url };
}

/** A chain of the number 1 that is being mined: what the pages' commands follow. */
async function mainnet(head: number) {
  const { rpc, miner } = await startMinedChain({ chainId: 1, seed: 'walk-throughs', head, blockTimeMs: 200 });
  closing.push(async () => {
    miner.stop();
    await rpc.stop();
  });
  return rpc.url;
}

/** Starts `npm start` as a page says it. @returns where it is served, and what ends it. */
async function served(copy: ProjectCopy, command: string) {
  const child = await copy.start(command);
  const [, url] = await child.untilOutput(/(http:\/\/127\.0\.0\.1:\d+)\/status/, 90_000);
  return { url: url!, end: () => child.end('SIGINT') };
}

/** An API of the version before, asked again and again: total counts and codes of errors. */
async function askedMeanwhile(databaseUrl: string, page: string) {
  const { PATH } = process.env;
  const env = { PATH, DATABASE_URL: databaseUrl, RABBITMQ_URL: inject('rabbitmqUrl'), PORT: '0' };
  const main = fileURLToPath(new URL('../dist/apps/api/main.js', import.meta.url));
  const api = await spawnOwned(process.execPath, [main], { env });
  closing.push(() => api.end('SIGKILL'));
  const [url] = await api.untilOutput(/http:\/\/127\.0\.0\.1:\d+\/graphql/, 60_000);
  const answers: (number | string | undefined)[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const { data, errors } = await ask<Transfers>(url.replace('/graphql', ''), page);
      answers.push(errors ? errors[0]!.extensions?.code : data.transferEvents.totalCount);
    }
  })();
  const stop = async () => {
    await until('the last answer', () => answers.at(-1) === 'EVENT_MOVED');
    isOver = true;
    await asking;
    return answers;
  };
  await until('the first answer', () => answers.length > 0);
  return { stop };
}

interface Transfers {
  readonly transferEvents: { readonly totalCount: number; readonly nodes: { readonly value: string }[] };
}

test(
  'events-without-code.md, followed word by word: rows by a line of configuration, and the same rows from a table of their own',
  async () => {
    const [start, page, subscription, curl, newEvent, migrate] = blocksOf(
      'events-without-code.md',
      'sh',
      'graphql',
      'graphql',
      'sh',
      'sh',
      'sh',
    );
    const { copy, databaseUrl } = await project();
    const first = await served(copy, start);
    const transfers = async (url: string) => (await ask<Transfers>(url, page)).data.transferEvents;
    const rows = await until('transfers', async () => {
      const read = await transfers(first.url).catch(() => null);
      return read && read.totalCount > 1_000 && read;
    });
    expect(rows.nodes).toHaveLength(5);
    const client = createClient({
      url: `${first.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
    });
    closing.push(() => client.dispose());
    for await (const { data, errors } of client.iterate<{ transferEvents: { changes: { type: string }[] } }>({
      query: subscription,
    })) {
      expect(errors).toBeUndefined();
      if (data!.transferEvents.changes.length) break;
    }
    const path = /'http:\/\/127\.0\.0\.1:4000(.*)'/.exec(curl)![1]!;
    const rest = (await (await fetch(`${first.url}${path}`)).json()) as { nodes: { value: string }[] };
    expect(rest.nodes.map(({ value }) => BigInt(value)).every((value) => value >= 1_000_000n)).toBe(true);
    expect(rest.nodes).toHaveLength(5);
    await first.end();

    const stored = await query(databaseUrl, 'select tx_hash, log_index from contract_event order by 1, 2');
    await copy.run(newEvent);
    const older = await askedMeanwhile(databaseUrl, page);
    await copy.run(migrate);
    // all of them or none, never a part
    const answers = [...new Set(await older.stop())];
    expect(answers).toEqual([expect.any(Number), 'EVENT_MOVED']);
    expect(answers[0]).toBeGreaterThanOrEqual(rows.totalCount);
    expect(await query(databaseUrl, 'select tx_hash, log_index from transfer_event order by 1, 2')).toEqual(
      stored,
    );
    expect(await query(databaseUrl, 'select from contract_event')).toEqual([]);
    const again = await served(copy, start);
    await until('more transfers', async () => (await transfers(again.url)).totalCount > rows.totalCount);
    await again.end();
  },
  PATIENCE_MS,
);

test(
  'add-an-event.md, followed word by word: a folder with a real example, checked, and its rows',
  async () => {
    const [newEvent, declaration, generate, follow] = blocksOf('add-an-event.md', 'sh', 'ts', 'sh', 'sh');
    const rpcUrl = await mainnet(50);
    const { copy } = await project({ RPC_URLS: rpcUrl });
    await copy.run(newEvent);
    copy.write('libs/events/erc20-transfer/event.ts', declaration);
    // the project's own tests are what runs this
    expect(generate).toContain('&& npm test\n');
    await copy.run(generate.replace('&& npm test\n', '\n'));
    const { url, end } = await served(copy, follow.replace('0x…', USDC));
    const rows = async () =>
      (
        await ask<{ erc20TransferEvents: { totalCount: number } }>(
          url,
          '{ erc20TransferEvents { totalCount } }',
        )
      ).data.erc20TransferEvents.totalCount;
    await until('transfers of the new table', async () => (await rows()) > 10);
    await end();
  },
  PATIENCE_MS,
);

test(
  'add-a-column.md, followed word by word: a column of the log and one of the chain are filled, and subscribers hear nothing',
  async () => {
    const [line, generate, migrate, derive, notNull, chainLine, chainCommands] = blocksOf(
      'add-a-column.md',
      'ts',
      'sh',
      'sh',
      'sh',
      'sh',
      'ts',
      'sh',
    );
    const rpcUrl = await mainnet(2_000);
    const { copy, databaseUrl } = await project({ RPC_URLS: rpcUrl });
    const before = await served(copy, `CHAIN_ID=1 CONTRACT_ADDRESSES=${GATEWAY} START_BLOCK=1 npm start`);
    const count = async () =>
      Number((await query(databaseUrl, 'select count(*) as n from socket_bridge_event'))[0]!.n);
    await until('rows of the older build', async () => (await count()) > 700);
    await before.end();
    const places = 'select tx_hash, log_index, write_id, revision from socket_bridge_event order by 1, 2';
    const stored = await query(databaseUrl, places);

    const event = 'libs/events/socket-bridge/event.ts';
    const said = /"metadataId": "\d+"/.exec(copy.read('docs/add-a-column.md'))![0];
    copy.insert(event, '  columns: {\n', line);
    copy.insert('libs/events/socket-bridge/example.json', '"values": {', `${said},`);
    await copy.run(generate);
    await copy.run(migrate);
    await copy.run(derive);
    const filled = await query<{ hex: string; id: string }>(
      databaseUrl,
      `select encode(metadata, 'hex') as hex, metadata_id::text as id from socket_bridge_event`,
    );
    expect(filled.map(({ id }) => id)).toEqual(filled.map(({ hex }) => String(BigInt(`0x${hex}`))));

    copy.write(event, copy.read(event).replace(/(metadataId: \{[^}]*?)\s*nullable: true,/, '$1'));
    await copy.run(notNull);
    const nullable = `select is_nullable from information_schema.columns
    where table_name = 'socket_bridge_event' and column_name = 'metadata_id'`;
    expect(await query(databaseUrl, nullable)).toEqual([{ is_nullable: 'NO' }]);

    copy.insert(event, '  columns: {\n', chainLine);
    await copy.run(chainCommands);
    await copy.run('npm run -s check:drift');
    expect(await query(databaseUrl, 'select from socket_bridge_event where tx_sender is null')).toEqual([]);
    const [row] = await query<{ hash: string; sender: string }>(
      databaseUrl,
      `select '0x' || encode(tx_hash, 'hex') as hash, '0x' || encode(tx_sender, 'hex') as sender
      from socket_bridge_event limit 1`,
    );
    const rpc = new JsonRpcProvider(rpcUrl);
    closing.push(() => rpc.destroy());
    expect((await rpc.getTransaction(row!.hash))!.from.toLowerCase()).toBe(row!.sender);
    expect(await query(databaseUrl, places)).toEqual(stored);
  },
  PATIENCE_MS,
);
