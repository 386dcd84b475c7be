import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import { limits } from '#apps/api/limits/limits.js';
import { Database } from '#libs/database/database.js';
import { ask, Follower } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { System, type SystemProcess } from './services/system.js';
import { until } from './services/until.js';

/** Another client than the well-behaved one at 127.0.0.1, in each test a new one. */
let localAddress: string;
let attackers = 1;
const CONNECTIONS = 200;
let system: System;
let database: Database;
let api: SystemProcess;
let url: string;
let ledger: LedgerFixture;
let term: number;
let height = 9;
let seq = 0;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  ({ term } = await ledger.lead());
  system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {
    DATABASE_URL: ledger.url,
    MAX_CONNECTIONS_PER_CLIENT: String(CONNECTIONS),
    LOG_LEVEL: 'info',
  });
  database = Database.open(ledger.url);
  ({ process: api, url } = await system.startApi());
});
afterAll(async () => {
  await system?.stop();
  await database?.close();
  await ledger?.close();
});

beforeEach(() => {
  localAddress = `127.0.0.${++attackers}`;
});

/** What the well-behaved client does beside an attack: it asks again and again, and follows live. All of it must succeed. */
async function beside(attack: () => Promise<void>): Promise<void> {
  const follower = new Follower(url, {});
  await until('the first message', () => follower.messages.length);
  const [answers, failures]: unknown[][] = [[], []];
  let attacking = true;
  const asking = (async () => {
    do {
      const { data, errors } = await ask(url, '{ socketBridgeEvents(first: 5) { nodes { id } } }').catch(
        (error) => ({ data: undefined, errors: [error] }),
      );
      (data ? answers! : failures!).push(data ?? errors);
      // well below what a client may ask
      await delay(50);
    } while (attacking);
  })();
  try {
    await attack();
    height++;
    await ledger.apply(term, ++seq, {
      above: height - 1,
      blocks: [block(height, 'a', [{ tx: `t${height}` }])],
    });
    await until('the event', () => follower.changes.some(({ node }) => node.blockNumber === height), 30_000);
  } finally {
    attacking = false;
    await asking;
    await follower.close();
  }
  expect(failures).toEqual([]);
  expect(answers!.length).toBeGreaterThan(0);
}

/** Posts a body as the hostile client. @returns status and text, or the error when the connection was cut. */
function post(body: string, from = localAddress): Promise<{ status?: number; text: string }> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(
      `${url}/graphql`,
      { method: 'POST', localAddress: from, headers, agent: false },
      async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode!, text });
      },
    );
    sent.once('error', (error) => resolve({ text: error.message }));
    sent.end(body);
  });
}

function open(): WebSocket {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    localAddress,
  });
  socket.on('error', () => {});
  return socket;
}

/** Close code, or the HTTP status when it wasn't opened. */
function endOf(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => {
    socket.once('close', resolve);
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode!));
  });
}

function rawSocket(): Socket {
  const { hostname, port } = new URL(url);
  return connect({ host: hostname, port: Number(port), localAddress }).on('error', () => {});
}

test('queries of every excess, many at once, are refused and stop nobody', async () => {
  const aliases = Array.from({ length: 10_000 }, (_, i) => `a${i}:chains{id}`).join(' ');
  const queries = [
    `{ ${aliases} }`,
    `{${'chains{'.repeat(3_000)}id${'}'.repeat(3_000)}}`,
    `{ ${'__typename '.repeat(limits.queryTokens)} }`,
    `{ socketBridgeEvents(where: ${'{not:'.repeat(200)}{}${'}'.repeat(200)}) { totalCount } }`,
    `{ ${Array.from({ length: 20 }, (_, i) => `a${i}: socketBridgeEvents(first: 1000) { edges { node { id data topics } } }`).join(' ')} }`,
    `query ${'x'.repeat(150_000)} { __typename }`,
  ];
  await beside(async () => {
    const answers = await Promise.all(
      queries.flatMap((query, i) => {
        const body = JSON.stringify({ query });
        return Array.from({ length: 10 }, () => post(body, `127.0.1.${i + 1}`));
      }),
    );
    const codes = new Set(answers.flatMap(({ text }) => /"code":"(\w+)"/.exec(text)?.[1] ?? text));
    expect([...codes].sort()).toEqual([
      'BAD_USER_INPUT',
      'QUERY_TOO_EXPENSIVE',
      'QUERY_TOO_LONG',
      'RATE_LIMITED',
      'TOO_MANY_TOKENS',
    ]);
  });
});

test('bodies of 5 MB are refused unread and stop nobody', async () => {
  await beside(async () => {
    const body = JSON.stringify({ query: '{ chains { id } }', variables: { x: 'x'.repeat(5_000_000) } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(body)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(413));
  });
});

test('connections that never end their headers: some are let in, cut after a time, and stop nobody', async () => {
  await beside(async () => {
    const sockets = Array.from({ length: CONNECTIONS + 50 }, rawSocket);
    const texts = sockets.map(async (socket) => {
      socket.write('GET /graphql HTTP/1.1\r\nHost: x\r\n');
      const drip = setInterval(() => socket.write('X-Header: y\r\n'), 500);
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      await once(socket, 'close');
      clearInterval(drip);
      return text;
    });
    const told = await Promise.all(texts);
    expect(told.filter((text) => /TOO_MANY_CONNECTIONS/.test(text))).toHaveLength(50);
    expect(told.filter((text) => /^HTTP\/1.1 408/.test(text))).toHaveLength(CONNECTIONS);
  });
});

test('1000 WebSockets: as many are let in as one client may have, and those that say nothing are closed', async () => {
  await beside(async () => {
    const ends = await Promise.all(Array.from({ length: 1_000 }, () => endOf(open())));
    const count = (code: number) => ends.filter((end) => end === code).length;
    expect([count(4408), count(429)]).toEqual([CONNECTIONS, 1_000 - CONNECTIONS]);
  });
});

test('garbage ends the connection that sent it, with a code where there is one, and stops nobody', async () => {
  await beside(async () => {
    const http = rawSocket();
    http.write('\x00\x01 nonsense\r\n\r\n');
    const [answer] = await once(http, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 400/);
    const cases: [frame: (socket: WebSocket) => void, code: number][] = [
      [(socket) => socket.send('nonsense'), 4400],
      [(socket) => socket.send('{"type":"nonsense"}'), 4400],
      [(socket) => socket.send('{"type":"connection_init","payload":7}'), 4400],
      [(socket) => socket.send('x'.repeat(limits.bodyBytes + 1)), 1009],
      [(socket) => (socket as unknown as { _socket: Socket })._socket.write(Buffer.alloc(100, 0xff)), 1002],
    ];
    for (const [send, code] of cases) {
      const socket = open();
      const end = endOf(socket);
      await once(socket, 'open');
      send(socket);
      expect(await end).toBe(code);
    }
  });
});

test('a WebSocket that floods is closed with 1008', async () => {
  await beside(async () => {
    const socket = open();
    const end = endOf(socket);
    await once(socket, 'open');
    socket.send('{"type":"connection_init"}');
    for (let i = 0; i < limits.messagesPerSocket + 1; i++) socket.send('{"type":"ping"}');
    expect(await end).toBe(1008);
  });
});

test('from a WebSocket that never reads what it asks for, no more is read, so that it costs no memory', async () => {
  await beside(async () => {
    const socket = open();
    await once(socket, 'open');
    socket.send('{"type":"connection_init"}');
    socket.pause();
    const ping = JSON.stringify({ type: 'ping', payload: { x: 'x'.repeat(200_000) } });
    const SENT = 500;
    for (let i = 0; i < SENT; i++) socket.send(ping);
    let before = Number.NaN;
    // what the kernel and the API have taken doesn't grow any more
    await until('the API to take no more', async () => {
      const same = socket.bufferedAmount === before;
      before = socket.bufferedAmount;
      await delay(500);
      return same;
    });
    expect(SENT * ping.length - socket.bufferedAmount).toBeLessThan(30_000_000);
    socket.terminate();
  });
});

test('none of it is told to stderr', () => {
  expect(api.output()).toMatch(/GraphiQL/);
  expect(api.output()).not.toMatch(/Internal error|Please check your implementation/);
});
