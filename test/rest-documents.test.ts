import { request } from 'node:http';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { snakeCase } from '#libs/events/column.js';
import { events } from '#libs/events/registry.js';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { get } from './services/rest.js';

let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  // each parameter of each event is tried
  api = await startTestApi({ database: ledger.database, limits: { requestsPerSecond: 10_000 } });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

test('the OpenAPI document is valid, and has an operation for every resource', async () => {
  const { body, headers } = await get(api.url, '/openapi.json');
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  const validator = new Validator();
  expect(await validator.validate(body)).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  // it does look: an operation whose parameter has no place is none
  const { get: list } = body.paths['/api/chains'];
  const broken = { ...body, paths: { '/api/chains': { get: { ...list, parameters: [{ name: 'x' }] } } } };
  expect(await new Validator().validate(broken)).toMatchObject({ valid: false });
  const stems = events.map((event) => snakeCase(event.name).replaceAll('_', '-'));
  expect(stems.slice(0, 2)).toEqual(['socket-bridge', 'socket-swap-tokens']);
  expect(Object.keys(body.paths)).toEqual([
    ...stems.flatMap((stem) => [
      `/api/${stem}-events`,
      `/api/${stem}-events/export.ndjson`,
      `/api/${stem}-events/stream`,
      `/api/${stem}-events/{id}`,
      `/api/${stem}-stats`,
    ]),
    '/api/total-bridged/{token}/{toChainId}',
    '/api/chains',
    '/api/chains/{id}',
  ]);
});

interface Documented {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly schema?: { readonly $ref?: string; readonly items?: { readonly $ref?: string } };
}

test('every parameter that is documented is described and understood', async () => {
  const { paths } = (await get(api.url, '/openapi.json')).body;
  for (const [path, { get: operation }] of Object.entries<{ get: { parameters: Documented[] } }>(paths)) {
    if (path.endsWith('/stream')) continue;
    for (const parameter of operation.parameters) {
      expect(parameter.description).not.toBe('');
      if (parameter.in !== 'query') continue;
      // a value that no type takes, so that the answer names the parameter, or says what is wrong with the value
      const { body } = await get(api.url, path.replace('/api', '').replace(/\{\w+\}/g, '0'), {
        [parameter.name]: '\0',
      });
      expect(body.error.message).not.toMatch(/^there is no parameter/);
    }
  }
});

test('the page to try it is whole without anything from elsewhere, and may load nothing', async () => {
  const root = await fetch(`${api.url}/api`, { redirect: 'manual' });
  expect([root.status, root.headers.get('location')]).toEqual([302, '/api/docs']);
  const page = await get(api.url, '/docs');
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'/);
  const parts = [...page.body.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, url]) => url);
  expect(parts).toHaveLength(4);
  for (const part of parts.filter((url) => url !== 'data:,')) {
    const { status, headers, body } = await get(api.url, part.replace('/api', ''));
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(part.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
    expect(body.length).toBeGreaterThan(50);
  }
});

describe('no path names a file', () => {
  test.each([
    '/api/docs/../../package.json',
    '/api/docs/..%2f..%2fpackage.json',
    '/api/docs/%2e%2e/%2e%2e/package.json',
    '/api/docs/..\\..\\package.json',
    '/api/docs/index.html',
    '/api/docs/swagger-ui.css/',
    '/api//docs',
    '/api/%00',
    '/api/%',
  ])('%s', async (path) => {
    const status = await new Promise((resolve, reject) => {
      // as it is: `fetch` would resolve the dots itself
      const sent = request({ ...urlParts(api.url), path }, (response) =>
        resolve(response.resume().statusCode),
      );
      sent.on('error', reject).end();
    });
    expect(status).toBe(404);
  });
});

function urlParts(url: string) {
  const { hostname, port } = new URL(url);
  return { hostname, port };
}
