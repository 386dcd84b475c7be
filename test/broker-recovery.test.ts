import { connect, createServer, type Server, type Socket } from 'node:net';
import amqp from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Broker, BrokerUnavailable, type Lane } from '#libs/broker/broker.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { Topology } from '#libs/broker/rabbit-topology.js';
import {
  ackingInbox,
  deleteQueues,
  eventually,
  HISTORY,
  history,
  Inbox,
  LIVE,
  news,
  numberOf,
  rabbitBench,
  silent,
  upTo,
} from './services/broker-bench.js';
import { type RabbitMqNode, startRabbitMq } from './services/rabbitmq.js';

/** A way to the broker that can be cut. */
async function openWire(port: number): Promise<{ url: string; cut(): void; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        sockets.delete(socket);
      });
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return { url: `amqp://guest:guest@127.0.0.1:${(server.address() as { port: number }).port}`, cut, server };
}

/** Publishes until it is confirmed, as whoever reads the ledger does. */
function publishUntilConfirmed(broker: Broker, lane: Lane, n: number): Promise<void> {
  return eventually(() => broker.publish(lane, lane.lane === 'live' ? news(n) : history(n)));
}

describe('with a RabbitMQ of its own', () => {
  let node: RabbitMqNode;
  beforeAll(async () => {
    node = await startRabbitMq();
  });
  afterAll(() => node?.stop());

  it('keeps confirmed messages over a power cut, and publishers, consumers and listeners go on by themselves', async () => {
    const bench = await rabbitBench(node.url);
    const live = ackingInbox();
    const rings: number[] = [];
    await bench.broker.consume(LIVE, 5, live.handler);
    await bench.broker.onRing((position) => rings.push(position));
    const held = new Inbox();
    const other = await bench.another();
    await other.consume(HISTORY, 5, held.handler);
    await Promise.all(upTo(50).map((n) => bench.broker.publish(HISTORY, history(n))));
    await held.until(5);

    await node.kill();
    await eventually(() => expect([bench.broker.connected, other.connected]).toEqual([false, false]));
    await expect(bench.broker.publish(HISTORY, history(51))).rejects.toThrow(BrokerUnavailable);
    await expect(bench.broker.depth(HISTORY)).rejects.toThrow(BrokerUnavailable);
    bench.broker.ring(1);
    for (const delivery of held.deliveries) delivery.ack();
    await node.restart();

    await publishUntilConfirmed(bench.broker, LIVE, 1);
    await live.until(1);
    await held.until(10);
    // the acks of the dead connection did nothing: all fifty come again (in which order, 4.3 doesn't promise after a power cut)
    const rest = ackingInbox();
    await other.close();
    await bench.broker.consume(HISTORY, 10, rest.handler);
    await eventually(() => expect([...new Set(rest.numbers)].sort((a, b) => a - b)).toEqual(upTo(50)));
    await eventually(() => {
      bench.broker.ring(2);
      expect(rings).toContain(2);
    });
    await bench.end();
  });

  describe('running', () => {
    let bench: Awaited<ReturnType<typeof rabbitBench>>;
    beforeEach(async () => {
      bench = await rabbitBench(node.url);
      return () => bench.end();
    });

    it('refuses a publish whose queue is gone, and has declared the queue again by then', async () => {
      await bench.broker.publish(HISTORY, history(1));
      await deleteQueues(node.url, bench.prefix, HISTORY);
      await expect(bench.broker.publish(HISTORY, history(2))).rejects.toThrow(/NO_ROUTE.*declared again/s);
      await bench.broker.publish(HISTORY, history(3));
      await eventually(async () => expect(await bench.broker.depth(HISTORY)).toBe(1));
    });

    it('goes on consuming when its queue was deleted', async () => {
      const inbox = ackingInbox();
      await bench.broker.consume(LIVE, 5, inbox.handler);
      await deleteQueues(node.url, bench.prefix, LIVE);
      await publishUntilConfirmed(bench.broker, LIVE, 1);
      await inbox.until(1);
    });

    it('goes on consuming when its queue was deleted and made again before the broker told anybody', async () => {
      const inbox = ackingInbox();
      await bench.broker.consume(LIVE, 5, inbox.handler);
      await deleteQueues(node.url, bench.prefix, LIVE);
      await (await bench.another()).close();
      await publishUntilConfirmed(bench.broker, LIVE, 1);
      await inbox.until(1);
    });

    it('puts a message aside that was handed out too often, with the broker’s reason', async () => {
      await bench.broker.publish(HISTORY, history(1));
      let deaths = 0;
      const letter = await eventually(async () => {
        const worker = await bench.another();
        await worker.consume(HISTORY, 1, () => deaths++);
        await eventually(async () => expect(await bench.broker.depth(HISTORY)).toBe(0));
        await worker.close();
        const [found] = await bench.broker.deadLetters(1);
        expect(found).toBeDefined();
        return found!;
      });
      expect(letter.reason).toContain('delivery_limit');
      expect(letter.queue).toBe(`${bench.prefix}.history`);
      expect(deaths).toBe(21);
    });

    it('can be set up by two processes at the same moment', async () => {
      const prefix = `${bench.prefix}-twice`;
      const options = { url: node.url, prefix, logger: silent, name: 'test' };
      const brokers = await Promise.all([
        connectRabbit(options),
        connectRabbit(options),
        connectRabbit(options),
      ]);
      await Promise.all(brokers.map((broker, n) => broker.publish(HISTORY, history(n))));
      expect(await brokers[0].depth(HISTORY)).toBe(3);
      await Promise.all(brokers.map((broker) => broker.close()));
      await deleteQueues(node.url, prefix);
    });

    it('hands a live lane on, in order and from the first unacknowledged message, when the active consumer is cut off', async () => {
      const wire = await openWire(node.port);
      const cutOff = await connectRabbit({
        url: wire.url,
        prefix: bench.prefix,
        logger: silent,
        name: 'test',
      });
      const first = new Inbox((delivery) => {
        if (numberOf(delivery.statement) <= 2) delivery.ack();
      });
      await cutOff.consume(LIVE, 5, first.handler);
      const second = ackingInbox();
      await bench.broker.consume(LIVE, 5, second.handler);
      for (const n of upTo(20)) await bench.broker.publish(LIVE, news(n));
      await first.until(7);
      wire.cut();
      await second.until(18);
      expect(second.numbers).toEqual(upTo(20).slice(2));
      // what the first still holds is not its own any more
      for (const delivery of first.deliveries) delivery.ack();
      await eventually(() => expect(cutOff.connected).toBe(true));
      await cutOff.close();
      wire.server.close();
    });

    it('settles every publish once, confirmed or refused, while the connection is cut again and again', async () => {
      const wire = await openWire(node.port);
      const broker = await connectRabbit({
        url: wire.url,
        prefix: bench.prefix,
        logger: silent,
        name: 'test',
      });
      const confirmed: number[] = [];
      let refused = 0;
      for (let round = 0; round < 5; round++) {
        await eventually(() => expect(broker.connected).toBe(true));
        const publishes = upTo(200).map((n) =>
          broker.publish(HISTORY, history(round * 200 + n)).then(
            () => confirmed.push(round * 200 + n),
            (error) => {
              expect(error).toBeInstanceOf(BrokerUnavailable);
              refused++;
            },
          ),
        );
        await Promise.race(publishes);
        wire.cut();
        await Promise.all(publishes);
      }
      expect(confirmed.length + refused).toBe(1000);
      const inbox = ackingInbox();
      await bench.broker.consume(HISTORY, 100, inbox.handler);
      await eventually(() =>
        expect(new Set(inbox.numbers)).toEqual(new Set([...inbox.numbers, ...confirmed])),
      );
      await broker.close();
      wire.server.close();
    });

    it('refuses at once, and says why, what waiting can’t cure', async () => {
      const options = { prefix: bench.prefix, logger: silent, name: 'test' };
      const attempt = (url: string) => connectRabbit({ ...options, url });
      const secret = 'guest:topsecret';
      await expect(attempt(node.url.replace('guest:guest', secret))).rejects.toThrow(
        /127\.0\.0\.1.*ACCESS.REFUSED/s,
      );
      await expect(attempt(node.url.replace('guest:guest', secret))).rejects.not.toThrow(/topsecret/);
      await expect(attempt(`${node.url}/nowhere`)).rejects.toThrow(/virtual host/);
      await expect(attempt('http://127.0.0.1')).rejects.toThrow(/amqp:/);
      await expect(attempt('rabbit')).rejects.toThrow(/unreadable/);
      const prefix = `${bench.prefix}-taken`;
      const connection = await amqp.connect(node.url);
      const channel = await connection.createChannel();
      await channel.assertQueue(new Topology(prefix).queue(HISTORY), { durable: true });
      await expect(connectRabbit({ ...options, prefix, url: node.url })).rejects.toThrow(
        /PRECONDITION.FAILED.*another prefix/s,
      );
      await channel.close();
      await connection.close();
      await deleteQueues(node.url, prefix);
    });
  });

  it('gives up waiting for a broker that isn’t there when told to', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const stop = new AbortController();
    const connecting = connectRabbit({
      url: `amqp://127.0.0.1:${port}`,
      logger: silent,
      name: 'test',
      signal: stop.signal,
    });
    stop.abort();
    await expect(connecting).rejects.toThrow(BrokerUnavailable);
  });
});
