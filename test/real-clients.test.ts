import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { EventSource } from 'eventsource';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWsClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import type { RunningApi } from '#apps/api/server.js';
import { startTestApi } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { until } from './services/until.js';

const key = 'a-key-of-real-clients';
let ledger: LedgerFixture;
let api: RunningApi;
let term: number;
let seq = 0;
let height = 9;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  ({ term } = await ledger.lead());
  for (let i = 0; i < 5; i++) await storeEvent();
  api = await startTestApi({ database: ledger.database, limits: { apiKeys: [key] } });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

/** A block with one event more. @returns its height. */
async function storeEvent(): Promise<number> {
  height++;
  await ledger.apply(term, ++seq, {
    above: height - 1,
    blocks: [block(height, 'a', [{ tx: `t${height}` }])],
  });
  return height;
}

/** The newest block is replaced by an empty one. @returns the height of the event that is gone. */
async function dropEvent(): Promise<number> {
  await ledger.apply(term, ++seq, { above: height - 1, blocks: [block(height, `b${seq}`, [], 'a')] });
  return height--;
}

const authorization = `Bearer ${key}`;
const socketUrl = () => `${api.url.replace('http', 'ws')}/graphql`;
const newest = '{ socketBridgeEvents(first: 2) { nodes { id blockNumber } asOf } }';
const live =
  'subscription ($since: FeedCursor) { socketBridgeEvents(since: $since) { cursor changes { type node { id blockNumber } } } }';

interface Message {
  readonly cursor: string;
  readonly changes: readonly {
    readonly type: string;
    readonly node: { readonly id: string; readonly blockNumber: number };
  }[];
}

test('Apollo Client: pages by cursor join in a normalised cache, which a subscription keeps true', async () => {
  const ws = createWsClient({
    url: socketUrl(),
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
  });
  const cache = new InMemoryCache({
    typePolicies: { Query: { fields: { socketBridgeEvents: relayStylePagination() } } },
  });
  const http = new HttpLink({ uri: `${api.url}/graphql`, headers: { authorization } });
  const client = new ApolloClient({ link: http, cache });
  const follower = new ApolloClient({ link: new GraphQLWsLink(ws), cache });
  const page = gql`query ($after: String) {
    socketBridgeEvents(first: 2, after: $after) { edges { cursor node { id blockNumber } } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } asOf }
  }`;
  // biome-ignore lint/suspicious/noExplicitAny: the query says what comes
  const events = client.watchQuery<any>({ query: page });
  let heights: number[] = [];
  const watching = events.subscribe(({ data }) => {
    // biome-ignore lint/suspicious/noExplicitAny: the query says what comes
    heights = (data?.socketBridgeEvents?.edges ?? []).map((edge: any) => edge.node.blockNumber);
  });
  await until('the first page', () => heights.length === 2);
  let { pageInfo } = events.getCurrentResult().data.socketBridgeEvents;
  while (pageInfo.hasNextPage) {
    const { data } = await events.fetchMore({ variables: { after: pageInfo.endCursor } });
    ({ pageInfo } = data!.socketBridgeEvents);
  }
  const history = [14, 13, 12, 11, 10];
  await until('all pages', () => heights.length === 5);
  expect(heights).toEqual(history);

  const since = events.getCurrentResult().data.socketBridgeEvents.asOf as string;
  const changes = follower
    .subscribe<{ socketBridgeEvents: Message }>({ query: gql(live), variables: { since } })
    .subscribe(({ data }) => {
      for (const { type, node } of data?.socketBridgeEvents.changes ?? []) {
        if (type === 'REMOVED')
          cache.evict({ id: cache.identify({ __typename: 'SocketBridgeEvent', ...node })! });
        else
          cache.modify({
            fields: {
              socketBridgeEvents: (pages, { toReference }) => {
                const edge = {
                  __typename: 'SocketBridgeEventEdge',
                  cursor: '',
                  node: toReference({ __typename: 'SocketBridgeEvent', ...node }, true),
                };
                return { ...pages, edges: [edge, ...pages.edges] };
              },
            },
          });
      }
    });
  const added = await storeEvent();
  await until('the new event in the page', () => heights[0] === added);
  expect(heights).toEqual([added, ...history]);
  await dropEvent();
  await until('the removal in the page', () => heights[0] === 14);
  expect(heights).toEqual(history);
  changes.unsubscribe();
  watching.unsubscribe();
  await ws.dispose();
  client.stop();
  follower.stop();
});

test('graphql-ws: a query and a subscription on one connection', async () => {
  const client = createWsClient({
    url: socketUrl(),
    webSocketImpl: WebSocket,
    connectionParams: { 'X-API-Key': key },
  });
  const messages = client.iterate<{ socketBridgeEvents: Message }>({ query: live });
  expect((await messages.next()).value!.data!.socketBridgeEvents.changes).toEqual([]);
  for await (const { data } of client.iterate({ query: newest }))
    expect(data).toMatchObject({ socketBridgeEvents: { nodes: [{}, {}] } });
  const added = await storeEvent();
  expect((await messages.next()).value!.data!.socketBridgeEvents.changes).toMatchObject([
    { type: 'ADDED', node: { blockNumber: added } },
  ]);
  await messages.return!();
  await client.dispose();
});

test('graphql-sse, in its mode of distinct connections: a query and a subscription that resumes', async () => {
  const client = createSseClient({ url: `${api.url}/graphql`, headers: { authorization }, retryAttempts: 0 });
  let asOf = '';
  for await (const { data } of client.iterate<{ socketBridgeEvents: { asOf: string } }>({ query: newest }))
    asOf = data!.socketBridgeEvents.asOf;
  const added = await storeEvent();
  const heights: number[] = [];
  for await (const { data } of client.iterate<{ socketBridgeEvents: Message }>({
    query: live,
    variables: { since: asOf },
  })) {
    heights.push(...data!.socketBridgeEvents.changes.map(({ node }) => node.blockNumber));
    if (heights.length) break;
  }
  expect(heights).toEqual([added]);
  client.dispose();
});

test('EventSource: a subscription by GET', async () => {
  const source = new EventSource(`${api.url}/graphql?query=${encodeURIComponent(live)}`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization } }),
  });
  const heights: number[] = [];
  let told = 0;
  source.addEventListener('next', ({ data }) => {
    told++;
    heights.push(
      ...JSON.parse(data).data.socketBridgeEvents.changes.map(
        ({ node }: { node: { blockNumber: number } }) => node.blockNumber,
      ),
    );
  });
  await until('the first message', () => told);
  const added = await storeEvent();
  await until('the event', () => heights.length);
  expect(heights).toEqual([added]);
  source.close();
});

test('curl: a query, and a stream line by line', async () => {
  const curl = (...args: string[]) =>
    promisify(execFile)('curl', ['--silent', '--show-error', '--header', `X-API-Key: ${key}`, ...args]);
  const body = JSON.stringify({ query: newest });
  const { stdout } = await curl('--json', body, `${api.url}/graphql`);
  expect(JSON.parse(stdout).data.socketBridgeEvents.nodes).toHaveLength(2);
  const stream = curl(
    '--no-buffer',
    '--max-time',
    '2',
    '--header',
    'Accept: text/event-stream',
    '--get',
    '--data-urlencode',
    `query=${live}`,
    `${api.url}/graphql`,
  );
  const told = await stream.catch((error: { code: number; stdout: string }) => error);
  expect(told).toMatchObject({
    code: 28,
    stdout: expect.stringMatching(/^event: next\ndata: {"data":{"socketBridgeEvents":{"cursor":/m),
  });
});
