import { expect, it } from 'vitest';
import { createInProcessBroker } from '#libs/broker/in-process.js';
import { ackingInbox, eventually, HISTORY, history, Inbox, silent, upTo } from './services/broker-bench.js';

it('puts a message aside that one consumer after the other leaves alone', async () => {
  const broker = createInProcessBroker({ logger: silent, stopGraceMs: 0 });
  await broker.publish(HISTORY, history(1));
  let deaths = 0;
  const [letter] = await eventually(async () => {
    const inbox = new Inbox(() => deaths++);
    const worker = await broker.consume(HISTORY, 1, inbox.handler);
    const letters = await broker.deadLetters(1);
    if (letters.length === 0) await inbox.until(1);
    await worker.stop();
    expect(letters).toHaveLength(1);
    return letters;
  });
  expect(deaths).toBe(21);
  expect(letter!.reason).toContain('21 times');
  await broker.close();
});

it('keeps the newest thousand dead letters', async () => {
  const broker = createInProcessBroker({ logger: silent });
  await Promise.all(upTo(1_010).map((n) => broker.publishBody(HISTORY, Buffer.from(`no statement ${n}`))));
  await broker.consume(HISTORY, 10, ackingInbox().handler);
  await eventually(async () => expect(await broker.depth(HISTORY)).toBe(0));
  const letters = await broker.deadLetters(2_000);
  expect(letters).toHaveLength(1_000);
  expect(letters[0]!.body.toString()).toBe('no statement 11');
  await broker.close();
});
