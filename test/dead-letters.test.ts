import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import {
  ackingInbox,
  type BrokerBench,
  eventually,
  HISTORY,
  history,
  Inbox,
  inProcessBench,
  LIVE,
  news,
  rabbitBench,
  untilDead,
  upTo,
} from './services/broker-bench.js';
import { type Outcome, runBuilt } from './services/command.js';

describe.each([
  { name: 'RabbitMQ', open: rabbitBench as () => Promise<BrokerBench> },
  { name: 'in-process', open: inProcessBench },
])('dead letters of the $name broker', ({ open }) => {
  let bench: BrokerBench;
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(() => bench.end());

  /** Lets a consumer refuse these messages of the history. */
  async function refused(bodies: readonly Buffer[], reason: string): Promise<void> {
    const consumer = await bench.broker.consume(HISTORY, 10, (delivery) => delivery.reject(reason));
    await bench.publishBody(HISTORY, ...bodies);
    await untilDead(bench.broker, bodies.length);
    await consumer.stop();
  }
  const bodyOf = (n: number) => Buffer.from(JSON.stringify(history(n)));

  test('looking at them shows each once with id, queue, reason and time, and takes none away', async () => {
    await refused(upTo(3).map(bodyOf), 'no use');
    const [first, again] = [await untilDead(bench.broker, 3), await untilDead(bench.broker, 3)];
    expect(first).toEqual(again);
    expect(new Set(first.map((letter) => letter.id)).size).toBe(3);
    expect(first[0]).toMatchObject({
      queue: expect.stringMatching(/\.history$/),
      reason: 'no use',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  test('one that is replayed goes to the queue that it came from; the others stay in their order', async () => {
    await refused(upTo(3).map(bodyOf), 'no use');
    const [, second] = await untilDead(bench.broker, 3);
    const sorted = await bench.broker.sortDeadLetters(({ id }) => (id === second!.id ? 'replay' : 'leave'));
    expect(sorted).toEqual({ replayed: 1, unplaced: 0 });
    const left = await untilDead(bench.broker, 2);
    expect(left.map((letter) => JSON.parse(letter.body.toString()).from)).toEqual([1, 3]);
    const inbox = ackingInbox();
    await bench.broker.consume(HISTORY, 10, inbox.handler);
    await inbox.until(1);
    expect(inbox.numbers).toEqual([2]);
  });

  test('one that fails again comes back with its new reason, and is not replayed for ever', async () => {
    await refused([bodyOf(1), Buffer.from('{"half":')], 'no use');
    let visits = 0;
    const consumer = await bench.broker.consume(HISTORY, 10, (delivery) => delivery.reject('still no use'));
    await bench.broker.sortDeadLetters(() => {
      visits++;
      return 'replay';
    });
    const back = await untilDead(bench.broker, 2);
    await consumer.stop();
    expect(visits).toBe(2);
    expect(back.map((letter) => letter.reason).sort()).toEqual([
      expect.stringContaining('not JSON'),
      'still no use',
    ]);
  });

  test('news go back to their own live queue', async () => {
    const refusing = await bench.broker.consume(LIVE, 1, (delivery) => delivery.reject('later'));
    await bench.broker.publish(LIVE, news(1));
    await untilDead(bench.broker, 1);
    await refusing.stop();
    await bench.broker.sortDeadLetters(() => 'replay');
    const inbox = new Inbox((delivery) => delivery.ack());
    await bench.broker.consume(LIVE, 1, inbox.handler);
    await inbox.until(1);
    expect(inbox.numbers).toEqual([1]);
  });
});

/** A module that makes a process tell the most memory that it ever had, in kB, as the last word on stderr (Linux). */
const tellingPeak = `data:text/javascript,${encodeURIComponent(
  `import { readFileSync } from 'node:fs';
   process.on('exit', () => console.error(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]));`,
)}`;
const peakOf = ({ stderr }: Outcome) => Number(stderr.trim().split('\n').at(-1));

describe('npm run dead-letters', () => {
  let bench: Awaited<ReturnType<typeof rabbitBench>>;
  let env: Record<string, string>;
  beforeEach(async () => {
    bench = await rabbitBench();
    env = { RABBITMQ_URL: inject('rabbitmqUrl'), QUEUE_PREFIX: bench.prefix };
  });
  afterEach(() => bench.end());

  async function bury(bodies: readonly Buffer[]): Promise<void> {
    const consumer = await bench.broker.consume(HISTORY, 50, (delivery) => delivery.reject('no use'));
    await bench.publishBody(HISTORY, ...bodies);
    await eventually(async () => expect(await bench.broker.depth({ lane: 'dead' })).toBe(bodies.length));
    await consumer.stop();
  }

  test('lists what is there, shows one whole, also what is no JSON, and replays by number, id or all', async () => {
    await bury([Buffer.from(JSON.stringify(history(1))), Buffer.from('{"half":'), Buffer.from([0xff, 0x1b])]);
    const list = await runBuilt('dead-letters', ['list'], env);
    expect(list).toMatchObject({ code: 0, stderr: '' });
    const [head, ...lines] = list.stdout.trim().split('\n');
    expect(head).toMatch(/^n +id +time +queue +chain +kind +bytes +reason$/);
    expect(lines).toHaveLength(3);
    const queue = `${bench.prefix}.history`;
    const id = /[0-9a-f]{12}/.exec(lines[0]!)![0];
    expect(lines[0]).toMatch(new RegExp(`^1  ${id}  \\S+Z  ${queue}  1 +final +\\d+ +no use$`));
    expect(lines[1]).toMatch(new RegExp(`^2  \\S+ +\\S+Z  ${queue}  – +– +8 +not JSON`));
    const shown = await runBuilt('dead-letters', ['show', id], env);
    expect(shown.stdout).toContain('reason  no use');
    expect(JSON.parse(shown.stdout.slice(shown.stdout.indexOf('\n\n')))).toEqual(history(1));
    expect((await runBuilt('dead-letters', ['show', '2'], env)).stdout).toMatch(/\n\n\{"half":\n$/);
    expect((await runBuilt('dead-letters', ['show', '3'], env)).stdout).toMatch(/in hex:\nff1b\n$/);
    expect(await runBuilt('dead-letters', ['show', '4'], env)).toMatchObject({
      code: 1,
      stdout: 'there is no dead letter 4\n',
    });
    expect((await runBuilt('dead-letters', ['replay', id], env)).stdout).toMatch(/^replayed 1;/);
    await eventually(async () => expect(await bench.broker.depth(HISTORY)).toBe(1));
    expect((await runBuilt('dead-letters', ['replay', 'all'], env)).stdout).toMatch(/^replayed 2;/);
    await eventually(async () => expect(await bench.broker.depth(HISTORY)).toBe(3));
    expect((await runBuilt('dead-letters', ['list'], env)).stdout).toBe('no dead letters\n');
  }, 120_000);

  test('a thousand messages of 100 kB are listed and replayed without holding them in memory', async () => {
    const filler = 'x'.repeat(98_000);
    const measured = { ...env, NODE_OPTIONS: `--import=${tellingPeak}` };
    const idle = await runBuilt('dead-letters', ['list'], measured);
    await bury(upTo(1_000).map((n) => Buffer.from(JSON.stringify({ ...history(n), filler }))));
    const list = await runBuilt('dead-letters', ['list'], measured);
    expect(list.code).toBe(0);
    expect(list.stdout.trim().split('\n')).toHaveLength(1_001);
    const replayed = await runBuilt('dead-letters', ['replay', 'all'], measured);
    expect(replayed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^replayed 1000;/) });
    await eventually(async () => expect(await bench.broker.depth(HISTORY)).toBe(1_000));
    expect(await bench.broker.depth({ lane: 'dead' })).toBe(0);
    for (const outcome of [list, replayed]) expect(peakOf(outcome) - peakOf(idle)).toBeLessThan(95_000);
  }, 240_000);

  test.each([
    [[], 'what is to be done?'],
    [['drop'], 'there is no "drop"'],
    [['list', 'all'], 'list takes no argument'],
    [['show'], 'show which? Give a number of the list, or an id'],
    [['replay'], 'replay which? Give a number of the list, an id, or all'],
    [['replay', 'ALL'], '"ALL" is not a number of the list, an id, or all'],
    [['show', '1', '2'], '"2" is one argument too many'],
    [['list', '--all'], "Unknown option '--all'"],
  ])('refuses %j and says how it is called', async (args, words) => {
    const { code, stdout, stderr } = await runBuilt('dead-letters', args, env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).toContain('npm run dead-letters -- replay all');
  });

  test('a broker that is away is told, with exit code 4 and without its password', async () => {
    const { code, stderr } = await runBuilt('dead-letters', ['list'], {
      ...env,
      RABBITMQ_URL: 'amqp://someone:hidden@127.0.0.1:1',
      LOG_LEVEL: 'silent',
    });
    expect(code).toBe(4);
    expect(stderr).toMatch(/^RabbitMQ at 127\.0\.0\.1:1: /);
    expect(stderr).not.toMatch(/hidden/);
  });
});
