import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vite';
import { describe, expect, test } from 'vitest';

/**
 * The import table (ARCHITECTURE.md quotes it).
 *
 * | room            | may import                                                   |
 * | --------------- | ------------------------------------------------------------ |
 * | libs/config     | no other room                                                |
 * | libs/telemetry  | config                                                       |
 * | libs/events     | config, telemetry                                            |
 * | libs/chain      | config, telemetry, events                                    |
 * | libs/broker     | config, telemetry, events, chain                             |
 * | libs/database   | config, telemetry, events, chain, broker                     |
 * | libs/service    | config, telemetry, events, chain, broker, database           |
 * | apps/<any>      | every lib, no other app                                      |
 * | apps/local      | every lib and every app: it starts them all in one process   |
 *
 * | only here                    | what                                                                            |
 * | ---------------------------- | ------------------------------------------------------------------------------- |
 * | libs/database                | SQL: pg, kysely, @mikro-orm/* (libs/events declares columns with @mikro-orm/core) |
 * | libs/broker                  | AMQP: amqplib                                                                   |
 * | libs/chain                   | RPC: names of methods (eth_…), ethers' providers (apps/devchain serves methods) |
 * | apps/local                   | imports whose name is computed (the package for the platform)                   |
 */
const libs = ['config', 'telemetry', 'events', 'chain', 'broker', 'database', 'service'];
const importsEveryApp = 'apps/local';
const packageHomes: readonly { what: RegExp; homes: readonly string[] }[] = [
  { what: /^@mikro-orm\/core$/, homes: ['libs/database', 'libs/events'] },
  { what: /^(pg|pg-.*|kysely|@mikro-orm\/(?!core$).*)$/, homes: ['libs/database'] },
  { what: /^amqplib$/, homes: ['libs/broker'] },
];
const rpcMethod = /^(eth|net|web3|debug|trace|anvil|evm)_[a-zA-Z]+$/;
const rpcMethodHomes = ['libs/chain', 'apps/devchain'];
const rpcProviderHomes = ['libs/chain'];
const computedImportHomes = ['apps/local'];

interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What a source file says that breaks the table, one line each. @param file its path from the root. */
function violationsOf(file: string, code: string): string[] {
  const room = roomOf(file);
  return nodesOf(parseAst(code, { lang: file.endsWith('x') ? 'tsx' : 'ts' }, file) as unknown as Node)
    .flatMap((node) => [...importViolations(node, file, room), ...rpcViolations(node, room)])
    .map((violation) => `${file}: ${violation}`);
}

function roomOf(file: string): string {
  return file.split('/').slice(0, 2).join('/');
}

function nodesOf(tree: unknown): Node[] {
  if (Array.isArray(tree)) return tree.flatMap(nodesOf);
  if (typeof tree !== 'object' || tree === null) return [];
  const inner = Object.values(tree).flatMap(nodesOf);
  return 'type' in tree ? [tree as Node, ...inner] : inner;
}

/** Import and export declarations, `import()` of values and of types. */
function importViolations(node: Node, file: string, room: string): string[] {
  const importing =
    /^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration|ImportExpression|TSImportType)$/;
  if (!importing.test(node.type) || !node.source) return [];
  const name = (node.source as { value?: unknown }).value;
  if (typeof name === 'string')
    return isRoomImport(name) ? roomViolations(name, file, room) : packageViolations(name, room);
  return computedImportHomes.includes(room)
    ? []
    : ['imports a name that is computed, which this table cannot judge'];
}

function isRoomImport(name: string): boolean {
  return name.startsWith('.') || name.startsWith('#');
}

function roomViolations(name: string, file: string, room: string): string[] {
  const path = name.startsWith('#') ? name.slice(1) : posix.join(posix.dirname(file), name);
  const target = roomOf(path);
  if (target === room) return [];
  if (name.startsWith('.')) return [`leaves its room by a relative path (${name}): use #libs/… or #apps/…`];
  return mayImport(room, target) ? [] : [`imports ${target}`];
}

function mayImport(room: string, target: string): boolean {
  const [from, to] = [room, target].map((r) => libs.indexOf(r.replace(/^libs\//, ''))) as [number, number];
  if (target.startsWith('apps/')) return room === importsEveryApp;
  if (to < 0) return false;
  return room.startsWith('apps/') || to < from;
}

function packageViolations(name: string, room: string): string[] {
  const rule = packageHomes.find(({ what }) => what.test(name));
  return !rule || rule.homes.includes(room)
    ? []
    : [`imports ${name}, which only ${rule.homes.join(' and ')} may`];
}

function rpcViolations(node: Node, room: string): string[] {
  const text =
    node.type === 'Literal' ? node.value : (node.value as { cooked?: unknown } | undefined)?.cooked;
  if (typeof text === 'string' && rpcMethod.test(text) && !rpcMethodHomes.includes(room)) {
    return [`says ${text}, which only ${rpcMethodHomes.join(' and ')} may`];
  }
  const imported = node.type === 'ImportSpecifier' ? (node.imported as { name?: string }).name : undefined;
  if (
    imported &&
    /^(JsonRpc|WebSocket|Fallback|IpcSocket|Browser)\w*Provider$/.test(imported) &&
    !rpcProviderHomes.includes(room)
  ) {
    return [`imports ${imported}, which only ${rpcProviderHomes.join(' and ')} may`];
  }
  return [];
}

test('every file of apps and libs keeps to the import table', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const files = globSync('{apps,libs}/**/*.{ts,tsx,mts,js,mjs}', { cwd: root });
  expect(files.length).toBeGreaterThan(40);
  expect(files.flatMap((file) => violationsOf(file, readFileSync(`${root}/${file}`, 'utf8')))).toEqual([]);
});

describe('the import table refuses', () => {
  test.each([
    ['a lib that imports one on its right', 'libs/chain/a.ts', `import { x } from '#libs/broker/b.js';`],
    [
      'a lib that imports a neighbour on its right as a type',
      'libs/config/a.ts',
      `import type { X } from '#libs/telemetry/b.js';`,
    ],
    [
      'a lib that names a type in place',
      'libs/events/a.ts',
      `export type Y = import('#libs/database/b.js').Y;`,
    ],
    ['a lib that re-exports one on its right', 'libs/broker/a.ts', `export * from '#libs/database/b.js';`],
    ['a lib that re-exports a name', 'libs/broker/a.ts', `export { x } from '#libs/database/b.js';`],
    [
      'a lib that imports on demand',
      'libs/broker/a.ts',
      `async function f() { return await import('#libs/database/b.js'); }`,
    ],
    ['a lib that imports an app', 'libs/database/a.ts', `import '#apps/api/b.js';`],
    ['an app that imports another app', 'apps/api/a.ts', `import { x } from '#apps/worker/b.js';`],
    [
      'a relative path into another room',
      'libs/database/entities/a.ts',
      `import { x } from '../../events/b.js';`,
    ],
    ['a room that the table does not know', 'apps/api/a.ts', `import { x } from '#libs/utils/b.js';`],
    ['a computed import', 'apps/api/a.ts', 'const x = await import(name);'],
    ['SQL in an app', 'apps/api/a.ts', `import { sql } from 'kysely';`],
    ['a driver in an app', 'apps/api/a.ts', `import pg from 'pg';`],
    ['the ORM in an app', 'apps/api/a.ts', `import { MikroORM } from '@mikro-orm/postgresql';`],
    [
      'more of the ORM than entities need, in events',
      'libs/events/a.ts',
      `import { MikroORM } from '@mikro-orm/postgresql';`,
    ],
    ['AMQP in an app', 'apps/worker/a.ts', `import type { Channel } from 'amqplib';`],
    ['an RPC method in an app', 'apps/fetcher/a.ts', `await call('eth_getLogs', []);`],
    ['an RPC method in a template', 'libs/database/a.ts', 'await call(`eth_getLogs`, []);'],
    ["ethers' providers in an app", 'apps/api/a.ts', `import { JsonRpcProvider } from 'ethers';`],
  ])('%s', (_, file, code) => {
    expect(violationsOf(file, code)).toEqual([expect.stringContaining(`${file}: `)]);
  });
});

describe('the import table allows', () => {
  test.each([
    [
      'a lib to import those on its left',
      'libs/database/a.ts',
      `import '#libs/broker/b.js'; import '#libs/config/b.js';`,
    ],
    ['files of one room to import each other', 'libs/database/entities/a.ts', `import { x } from '../b.js';`],
    ['an app to import libs', 'apps/api/a.ts', `import { x } from '#libs/database/b.js';`],
    [
      'apps/local to import apps, and by computed names',
      'apps/local/a.ts',
      `import '#apps/api/b.js'; await import(name);`,
    ],
    ['entity definitions in events', 'libs/events/a.ts', `import { p } from '@mikro-orm/core';`],
    ['SQL in the database room', 'libs/database/a.ts', `import { sql } from 'kysely'; import pg from 'pg';`],
    ['AMQP in the broker room', 'libs/broker/a.ts', `import amqp from 'amqplib';`],
    [
      'RPC in the chain room',
      'libs/chain/a.ts',
      `import { JsonRpcProvider } from 'ethers'; call('eth_chainId');`,
    ],
    ['the devchain to serve methods', 'apps/devchain/a.ts', `serve('eth_chainId');`],
    ['decorators and generics', 'apps/api/a.ts', `@D() class A<T extends object> { @F() x!: T; }`],
  ])('%s', (_, file, code) => {
    expect(violationsOf(file, code)).toEqual([]);
  });
});
