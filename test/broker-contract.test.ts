import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BrokerUnavailable, type Delivery, LIVE_QUEUES, liveLaneOf } from '#libs/broker/broker.js';
import {
  ackingInbox,
  type BrokerBench,
  DELAYED,
  eventually,
  HISTORY,
  history,
  Inbox,
  inProcessBench,
  LIVE,
  news,
  numberOf,
  rabbitBench,
  untilDead,
  upTo,
} from './services/broker-bench.js';

describe.each([
  { name: 'RabbitMQ', open: rabbitBench as () => Promise<BrokerBench> },
  { name: 'in-process', open: inProcessBench },
])('the $name broker', ({ open }) => {
  let bench: BrokerBench;
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(async () => {
    vi.useRealTimers();
    await bench.end();
  });

  const publishHistory = (numbers: number[]) =>
    Promise.all(numbers.map((n) => bench.broker.publish(HISTORY, history(n))));
  const publishNews = (numbers: number[]) =>
    Promise.all(numbers.map((n) => bench.broker.publish(LIVE, news(n))));

  it('delivers what was published, whole and in the order of publishing', async () => {
    await publishHistory(upTo(200));
    const inbox = ackingInbox();
    await bench.broker.consume(HISTORY, 10, inbox.handler);
    await inbox.until(200);
    expect(inbox.deliveries.map((d) => d.statement)).toEqual(upTo(200).map(history));
    expect(inbox.deliveries[0]).toMatchObject({
      redelivered: false,
      bytes: Buffer.byteLength(JSON.stringify(history(1))),
    });
  });

  it('carries messages of more than a megabyte, many at once', async () => {
    const source = history(1).sources[0]!;
    const heavy = (n: number) => ({ ...history(n), sources: Array.from({ length: 15_000 }, () => source) });
    const inbox = ackingInbox();
    await bench.broker.consume(HISTORY, 4, inbox.handler);
    await Promise.all(upTo(20).map((n) => bench.broker.publish(HISTORY, heavy(n))));
    await inbox.until(20);
    expect(inbox.numbers).toEqual(upTo(20));
    expect(inbox.deliveries[0]!.bytes).toBeGreaterThan(1_000_000);
  });

  it('hands out no more than the prefetch before an ack, and one more for each ack', async () => {
    await publishHistory(upTo(10));
    const inbox = new Inbox();
    await bench.broker.consume(HISTORY, 3, inbox.handler);
    await inbox.until(3);
    await eventually(async () => expect(await bench.broker.depth(HISTORY)).toBe(7));
    inbox.deliveries[1]!.ack();
    await inbox.until(4);
    await eventually(async () => expect(await bench.broker.depth(HISTORY)).toBe(6));
    expect(inbox.numbers).toEqual([1, 2, 3, 4]);
  });

  it('forgets what was acknowledged and brings back the rest, marked and in order, when a consumer stops', async () => {
    await publishHistory(upTo(5));
    const first = new Inbox();
    const consumer = await bench.broker.consume(HISTORY, 4, first.handler);
    await first.until(4);
    first.deliveries[0]!.ack();
    first.deliveries[2]!.ack();
    await consumer.stop();
    const second = ackingInbox();
    await bench.broker.consume(HISTORY, 10, second.handler);
    await second.until(3);
    expect(second.deliveries.map((d) => [numberOf(d.statement), d.redelivered])).toEqual([
      [2, true],
      [4, true],
      [5, expect.any(Boolean)],
    ]);
  });

  it('lets a stopped consumer acknowledge what it holds, and hands it nothing more', async () => {
    await publishHistory(upTo(4));
    const inbox = new Inbox();
    const consumer = await bench.broker.consume(HISTORY, 2, inbox.handler);
    await inbox.until(2);
    await consumer.stop();
    for (const delivery of inbox.deliveries) delivery.ack();
    const next = ackingInbox();
    await bench.broker.consume(HISTORY, 10, next.handler);
    await next.until(2);
    expect(next.numbers).toEqual([3, 4]);
    expect(inbox.numbers).toEqual([1, 2]);
  });

  it('puts bodies that are no statements aside with the reason, and delivers the others', async () => {
    await publishHistory([1]);
    await bench.publishBody(HISTORY, Buffer.from('{"half":'));
    await bench.publishBody(HISTORY, Buffer.from(JSON.stringify({ ...history(9), version: 99 })));
    await bench.publishBody(HISTORY, Buffer.from(JSON.stringify({ ...history(9), from: 10 })));
    await bench.publishBody(HISTORY, Buffer.alloc(0));
    await publishHistory([2]);
    const inbox = ackingInbox();
    // one at a time: a malformed message that held its place would block the queue
    await bench.broker.consume(HISTORY, 1, inbox.handler);
    await inbox.until(2);
    expect(inbox.numbers).toEqual([1, 2]);
    const letters = await untilDead(bench.broker, 4);
    expect(letters.map((letter) => letter.reason)).toEqual([
      expect.stringContaining('not JSON'),
      expect.stringContaining('message version 99'),
      expect.stringContaining('from is above to'),
      expect.stringContaining('not JSON'),
    ]);
    expect(letters[0]!.body.toString()).toBe('{"half":');
    expect(letters[0]!.queue).toMatch(/\.history$/);
  });

  it('puts a rejected message aside with the reason; looking leaves dead letters in place and in order', async () => {
    await publishNews([1, 2, 3]);
    const inbox = new Inbox((delivery) => {
      delivery.reject(`no use for ${numberOf(delivery.statement)}`);
      delivery.ack();
    });
    const consumer = await bench.broker.consume(LIVE, 1, inbox.handler);
    await inbox.until(3);
    const letters = await untilDead(bench.broker, 3);
    expect(letters.map((letter) => letter.reason)).toEqual(['no use for 1', 'no use for 2', 'no use for 3']);
    expect(letters.map((letter) => letter.queue)).toEqual(Array(3).fill(expect.stringMatching(/\.live\.1$/)));
    const oldest = await eventually(async () => {
      const some = await bench.broker.deadLetters(2);
      expect(some).toHaveLength(2);
      return some;
    });
    expect(oldest).toEqual(letters.slice(0, 2));
    expect(await untilDead(bench.broker, 3)).toEqual(letters);
    await consumer.stop();
    expect(await bench.broker.depth(LIVE)).toBe(0);
  });

  it('puts a message aside whose handler throws, and goes on', async () => {
    await publishHistory([1, 2]);
    const inbox = new Inbox((delivery) => {
      if (numberOf(delivery.statement) === 1) throw new Error('a defect');
      delivery.ack();
    });
    await bench.broker.consume(HISTORY, 1, inbox.handler);
    await inbox.until(2);
    const [letter] = await untilDead(bench.broker, 1);
    expect(letter!.reason).toContain('a defect');
  });

  it('shares history among consumers, each message to one of them', async () => {
    const inboxes = [ackingInbox(), ackingInbox()];
    const brokers = [bench.broker, await bench.another()];
    await Promise.all(brokers.map((broker, i) => broker.consume(HISTORY, 2, inboxes[i]!.handler)));
    await publishHistory(upTo(100));
    await eventually(() => expect(inboxes.flatMap((inbox) => inbox.numbers)).toHaveLength(100));
    const all = inboxes.flatMap((inbox) => inbox.numbers);
    expect(all.sort((a, b) => a - b)).toEqual(upTo(100));
    expect(inboxes.every((inbox) => inbox.numbers.length > 0)).toBe(true);
  });

  it('gives a live lane to one consumer at a time and keeps its order across a takeover', async () => {
    const order: string[] = [];
    const inboxOf = (name: string, acked: (n: number) => boolean) =>
      new Inbox((delivery) => {
        const n = numberOf(delivery.statement);
        order.push(`${name}${n}`);
        if (acked(n)) delivery.ack();
      });
    const [first, second] = [inboxOf('a', (n) => n <= 2), inboxOf('b', () => true)];
    const consumer = await bench.broker.consume(LIVE, 5, first.handler);
    const standby = await bench.another();
    await standby.consume(LIVE, 5, second.handler);
    await publishNews(upTo(20));
    await first.until(7);
    expect(second.numbers).toEqual([]);
    await consumer.stop();
    await second.until(18);
    expect(order).toEqual([
      ...upTo(7).map((n) => `a${n}`),
      ...upTo(20)
        .slice(2)
        .map((n) => `b${n}`),
    ]);
    expect(second.deliveries.slice(0, 5).every((delivery) => delivery.redelivered)).toBe(true);
  });

  it('brings history that was passed on back after a while, as new and to whoever consumes it; the others go on meanwhile', async () => {
    await publishHistory(upTo(4));
    const unable = new Inbox((delivery) =>
      numberOf(delivery.statement) === 2 ? delivery.passOn() : delivery.ack(),
    );
    const consumer = await bench.broker.consume(HISTORY, 1, unable.handler);
    await unable.until(4);
    expect(unable.numbers).toEqual(upTo(4));
    await eventually(async () => expect(await bench.broker.depth(DELAYED)).toBe(1));
    expect(await bench.broker.depth(HISTORY)).toBe(0);
    // twice around, and back to one that can use it
    await unable.until(5);
    await eventually(async () => expect(await bench.broker.depth(DELAYED)).toBe(1));
    await consumer.stop();
    const able = ackingInbox();
    await (await bench.another()).consume(HISTORY, 1, able.handler);
    await able.until(1);
    expect(able.deliveries[0]).toMatchObject({ statement: history(2), redelivered: false });
    await eventually(async () => expect(await bench.broker.depth(DELAYED)).toBe(0));
    expect(await bench.broker.deadLetters(1)).toEqual([]);
  });

  it('forgets history that nobody could use for ten minutes: whoever said it finds it missing', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const inbox = new Inbox((delivery) => delivery.passOn());
    const consumer = await bench.broker.consume(HISTORY, 1, inbox.handler);
    await publishHistory([1]);
    await eventually(async () => expect(await bench.broker.depth(DELAYED)).toBe(1));
    vi.advanceTimersByTime(550_000);
    await inbox.until(2);
    await eventually(async () => expect(await bench.broker.depth(DELAYED)).toBe(1));
    vi.advanceTimersByTime(60_000);
    await inbox.until(3);
    await consumer.stop();
    await eventually(async () => expect(await bench.broker.consumers(HISTORY)).toBe(0));
    const depths = [HISTORY, DELAYED].map((queue) => bench.broker.depth(queue));
    expect(await Promise.all(depths)).toEqual([0, 0]);
    expect(await bench.broker.deadLetters(1)).toEqual([]);
  });

  it('hands news that were passed on to the next in line, with all that is behind them and in order', async () => {
    const order: string[] = [];
    const inboxOf = (name: string, settle: (delivery: Delivery, n: number) => void) =>
      new Inbox((delivery) => {
        const n = numberOf(delivery.statement);
        order.push(`${name}${n}`);
        settle(delivery, n);
      });
    const unable = inboxOf('a', (delivery, n) => (n === 4 ? delivery.passOn() : delivery.ack()));
    const able = inboxOf('b', (delivery, n) => n < 8 && delivery.ack());
    const next = await bench.another();
    const first = await bench.broker.consume(LIVE, 1, unable.handler);
    const second = await next.consume(LIVE, 5, able.handler);
    await publishNews(upTo(20));
    await able.until(9);
    expect(order).toEqual([
      ...upTo(4).map((n) => `a${n}`),
      ...upTo(12)
        .slice(3)
        .map((n) => `b${n}`),
    ]);
    expect(able.deliveries[0]!.redelivered).toBe(true);
    // the first one is in line again
    await second.stop();
    await unable.until(17);
    expect(unable.numbers.slice(4)).toEqual(upTo(20).slice(7));
    await first.stop();
    expect(await bench.broker.deadLetters(1)).toEqual([]);
  });

  it('gives news that a consumer alone passes on to it again, marked, and goes on with what it gives up', async () => {
    await publishNews(upTo(6));
    const inbox = new Inbox((delivery) => {
      if (numberOf(delivery.statement) % 2) delivery.ack();
      else if (delivery.redelivered) delivery.giveUp();
      else delivery.passOn();
    });
    await bench.broker.consume(LIVE, 1, inbox.handler);
    await inbox.until(9);
    expect(inbox.numbers).toEqual([1, 2, 2, 3, 4, 4, 5, 6, 6]);
    await eventually(async () => expect(await bench.broker.depth(LIVE)).toBe(0));
    expect(await bench.broker.deadLetters(1)).toEqual([]);
  });

  it('lets the next consumer have a lane whose news were given up once nothing of it is held, in order', async () => {
    await publishNews(upTo(3));
    const unable = new Inbox();
    await bench.broker.consume(LIVE, 5, unable.handler);
    await unable.until(3);
    unable.deliveries[0]!.giveUp();
    const able = ackingInbox();
    await (await bench.another()).consume(LIVE, 5, able.handler);
    await publishNews([4]);
    await unable.until(4);
    expect(able.numbers).toEqual([]);
    for (const delivery of unable.deliveries) delivery.ack();
    await publishNews([5, 6]);
    await able.until(2);
    expect(able.numbers).toEqual([5, 6]);
    expect(unable.numbers).toEqual(upTo(4));
  });

  it('keeps the lanes apart', async () => {
    const lanes = [HISTORY, ...upTo(LIVE_QUEUES).map(liveLaneOf)];
    await Promise.all(lanes.map((lane, i) => bench.broker.publish(lane, history(i))));
    const inboxes = lanes.map(() => ackingInbox());
    await Promise.all(lanes.map((lane, i) => bench.broker.consume(lane, 5, inboxes[i]!.handler)));
    await Promise.all(inboxes.map((inbox) => inbox.until(1)));
    expect(inboxes.map((inbox) => inbox.numbers)).toEqual(lanes.map((_, i) => [i]));
  });

  it('rings every listener, never inside the ring, and not after one has stopped', async () => {
    const heard: [number[], number[]] = [[], []];
    const other = await bench.another();
    const stop = await bench.broker.onRing((position) => {
      heard[0].push(position);
      throw new Error('a listener’s own trouble');
    });
    await other.onRing((position) => heard[1].push(position));
    bench.broker.ring(41);
    expect(heard).toEqual([[], []]);
    await eventually(() => expect(heard).toEqual([[41], [41]]));
    await stop();
    other.ring(42);
    await eventually(() => expect(heard[1]).toEqual([41, 42]));
    expect(heard[0]).toEqual([41]);
  });

  it('tells how many messages wait', async () => {
    expect(await bench.broker.depth(LIVE)).toBe(0);
    await publishNews(upTo(7));
    await eventually(async () => expect(await bench.broker.depth(LIVE)).toBe(7));
    expect(await bench.broker.depth(HISTORY)).toBe(0);
  });

  it('refuses everything after close, and rings without a word', async () => {
    const inbox = new Inbox();
    await bench.broker.consume(HISTORY, 1, inbox.handler);
    await publishHistory([1]);
    await inbox.until(1);
    await bench.broker.close();
    expect(bench.broker.connected).toBe(false);
    inbox.deliveries[0]!.ack();
    inbox.deliveries[0]!.reject('too late');
    bench.broker.ring(1);
    await expect(bench.broker.publish(HISTORY, history(1))).rejects.toThrow(BrokerUnavailable);
    await expect(bench.broker.consume(HISTORY, 1, inbox.handler)).rejects.toThrow(BrokerUnavailable);
    await expect(bench.broker.depth(HISTORY)).rejects.toThrow(BrokerUnavailable);
    await bench.broker.close();
  });
});
