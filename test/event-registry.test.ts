import { readdirSync, readFileSync } from 'node:fs';
import { AbiCoder, Interface } from 'ethers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defineEvent, UndecodableLog } from '#libs/events/event.js';
import { events } from '#libs/events/registry.js';
import { bridgeNameOf } from '#libs/events/socket-bridge/bridge-names.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';

const folder = new URL('../libs/events/', import.meta.url);

interface Example {
  readonly log: { address: string; topics: string[]; data: string };
  readonly values: Record<string, unknown>;
}

describe.each(events.map((event) => [event.name, event] as const))('%s', (name, event) => {
  const directory = name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

  test('decodes its sealed real example to the values that it must', () => {
    const example = JSON.parse(readFileSync(new URL(`${directory}/example.json`, folder), 'utf8')) as Example;
    const values = event.decode(example.log);
    const shown = Object.fromEntries(
      Object.entries(values!).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
    );
    expect(shown).toEqual(example.values);
  });

  test('has a topic of its own signature and describes every column', () => {
    expect(event.topic0).toBe(new Interface([event.signature]).getEvent(name)!.topicHash);
    for (const column of event.allColumns) expect(column.description, column.property).toMatch(/\.$/);
    expect(new Set(event.allColumns.map((c) => c.name)).size).toBe(event.allColumns.length);
  });
});

test('every folder of an event is in the registry, under a name and a table of its own', () => {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders).toHaveLength(events.length);
  expect(new Set(events.map((e) => e.name)).size).toBe(events.length);
  expect(new Set(events.map((e) => e.table)).size).toBe(events.length);
});

const types = ['uint256', 'address', 'uint256', 'bytes32', 'address', 'address', 'bytes32'];
const uint256 = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 255n, 2n ** 256n - 1n),
  fc.bigInt(0n, 2n ** 256n - 1n),
);
const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => `0x${Buffer.from(b).toString('hex')}`);

test('SocketBridge is decoded exactly for every uint256, any bytes32, in any letter case', () => {
  const bridge = fc.tuple(uint256, hex(20), uint256, hex(32), hex(20), hex(20), hex(32));
  fc.assert(
    fc.property(bridge, fc.boolean(), (values, upper) => {
      const encoded = AbiCoder.defaultAbiCoder().encode(types, values);
      const data = upper ? `0x${encoded.slice(2).toUpperCase()}` : encoded;
      const [amount, token, toChainId, bridgeName, sender, receiver, metadata] = values;
      const bridgeText = bridgeNameOf(bridgeName);
      expect(socketBridge.decode({ topics: [socketBridge.topic0], data })).toEqual({
        amount,
        token,
        toChainId,
        bridgeName,
        bridge: bridgeText,
        sender,
        receiver,
        metadata,
      });
    }),
  );
});

test('a log of another event is "not mine", a log of this event that is broken is an error with the reason', () => {
  const data = AbiCoder.defaultAbiCoder().encode(types, [
    1n,
    ...Array(6)
      .fill(0)
      .map((_, i) => (i === 1 ? 5n : `0x${'00'.repeat([20, 32, 32, 20, 20, 32][i]!)}`)),
  ]);
  expect(socketBridge.decode({ topics: [`0x${'12'.repeat(32)}`], data })).toBeNull();
  expect(socketBridge.decode({ topics: [], data })).toBeNull();
  expect(socketBridge.decode({ topics: [socketBridge.topic0, socketBridge.topic0], data })).toBeNull();
  for (const broken of ['0x', data.slice(0, -2), `${data}00`, `0x${'ff'.repeat(224)}`]) {
    expect(() => socketBridge.decode({ topics: [socketBridge.topic0], data: broken }), broken).toThrow(
      UndecodableLog,
    );
  }
});

test('known bridges have readable names, an unknown id stays what it is', () => {
  expect(bridgeNameOf('0x709f58818bedd58450336213e1f2f6ff7405a2b1e594f64270a17b7e2249419c')).toBe('Across');
  expect(bridgeNameOf(`0x${'ab'.repeat(32)}`)).toBe(`0x${'ab'.repeat(32)}`);
});

test('an event whose column takes a name that every event has, or names no argument, is refused', () => {
  const declare = (property: string) =>
    defineEvent({
      name: 'Ping',
      signature: 'event Ping(uint256 value)',
      description: 'A test.',
      columns: { [property]: { kind: 'uint256', description: 'A value.' } },
    });
  expect(() => declare('blockNumber')).toThrow('every event has a column blockNumber');
  expect(() => declare('amount')).toThrow('names no argument');
  expect(declare('value').table).toBe('ping_event');
});
