import { expect, test } from 'vitest';
import { UndecodableLog } from '#libs/events/argument-reader.js';
import { jsonEvent } from '#libs/events/json-event.js';
import { events } from '#libs/events/registry.js';
import { asTold, identityOf, realLogs, registered } from './services/real-logs.js';

const abis = [...new Set(realLogs.flatMap(({ abi }) => abi ?? []))];
const definitions = [...events, ...abis.map((abi) => jsonEvent(abi))];

/** As JSON has it. */
const shown = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one)));

test('every real log with a declaration is decoded to what others made of it, whatever is special about it', () => {
  const declared = realLogs.filter(({ abi }) => abi);
  expect(declared.length).toBeGreaterThan(90);
  for (const { abi, values, log, categories } of declared) {
    const wanted = asTold(values!);
    expect(shown(jsonEvent(abi!).decode(log)!.args), categories.join()).toEqual(wanted);
    const folder = registered(abi!);
    if (folder) expect(shown(folder.decode(log))).toMatchObject(wanted as object);
  }
});

test('no event takes a real log for its own that is of another one, or of none', () => {
  for (const { identity, decode } of definitions)
    for (const { abi, log } of realLogs)
      expect(decode(log) !== null, `${identity} of ${log.txHash}`).toBe(
        abi !== null && identityOf(abi) === identity,
      );
});

test('a real log that lost its last byte is refused with a reason, or is read as before where its length says nothing', () => {
  for (const { abi, log } of realLogs.filter((one) => one.abi && one.log.data.length > 2)) {
    const event = jsonEvent(abi!);
    const read = () => event.decode({ ...log, data: log.data.slice(0, -2) });
    const isFixed = !/(bytes|string)( \w+)?[,)]|\[\]/.test(abi!);
    if (isFixed) expect(read, abi!).toThrow(UndecodableLog);
    else {
      try {
        // what was cut off was padding
        expect(read()).toEqual(event.decode(log));
      } catch (error) {
        expect(error).toBeInstanceOf(UndecodableLog);
      }
    }
  }
});
