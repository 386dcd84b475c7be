import { expect, test } from 'vitest';
import { limits } from '#apps/api/limits/limits.js';
import { ReadTurns } from '#apps/api/limits/read-turns.js';
import { onBehalfOf } from '#apps/api/limits/request-context.js';
import { until } from './services/until.js';

/** Reads that last until they are let go. */
class SlowReads {
  readonly running: string[] = [];
  private readonly endings: (() => void)[] = [];
  private readonly turns = new ReadTurns();

  start(client: string): Promise<void> {
    return onBehalfOf({ requestId: 'r', client }, () => this.turns.take(() => this.read(client)));
  }

  /** A read of the process itself. */
  startOwn(): Promise<void> {
    return this.turns.take(() => this.read('own'));
  }

  endAll(): void {
    for (const end of this.endings.splice(0)) end();
  }

  private read(client: string): Promise<void> {
    this.running.push(client);
    return new Promise((resolve) => this.endings.push(resolve));
  }
}

test('slow reads of one client leave turns to another, and none of the process itself waits', async () => {
  const reads = new SlowReads();
  const hostile = Array.from({ length: 50 }, () => reads.start('hostile'));
  await until('the first reads', () => reads.running.length === limits.readsPerClient);
  const other = reads.start('other');
  await until('the read of the other', () => reads.running.includes('other'));
  const own = Array.from({ length: 20 }, () => reads.startOwn());
  expect(reads.running.filter((client) => client === 'own')).toHaveLength(20);
  expect(reads.running.filter((client) => client === 'hostile')).toHaveLength(limits.readsPerClient);
  const all = Promise.all([...hostile, other, ...own]);
  await until('the end of all', () => {
    reads.endAll();
    return reads.running.length === 71;
  });
  reads.endAll();
  await all;
});

test('all clients together have no more turns than the pool spares', async () => {
  const reads = new SlowReads();
  const started = Array.from({ length: 30 }, (_, i) => reads.start(`client ${i}`));
  await until('the first reads', () => reads.running.length === limits.readsTotal);
  await new Promise(setImmediate);
  expect(reads.running).toHaveLength(limits.readsTotal);
  await until('the end of all', () => {
    reads.endAll();
    return reads.running.length === 30;
  });
  reads.endAll();
  await Promise.all(started);
});

test('a client with too many reads that wait is told so, and may go on when they are done', async () => {
  const reads = new SlowReads();
  const most = Array.from({ length: limits.readsPerClient + limits.readsWaiting }, () => reads.start('busy'));
  await until('the first reads', () => reads.running.length === limits.readsPerClient);
  await expect(reads.start('busy')).rejects.toMatchObject({
    message: expect.stringMatching(/200 reads of yours wait/),
    extensions: { code: 'TOO_MANY_READS', retryAfterSeconds: 1 },
  });
  await until('the end of all', () => {
    reads.endAll();
    return reads.running.length === most.length;
  });
  reads.endAll();
  await Promise.all(most);
  const again = reads.start('busy');
  await until('another read', () => reads.running.length === most.length + 1);
  reads.endAll();
  await again;
});
