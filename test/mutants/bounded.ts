import { by, type InvariantMutants } from './mutant.js';

export const bounded: InvariantMutants = {
  invariant: 'I7',
  mutants: [
    {
      name: 'publishes ranges of history without bound',
      file: 'apps/fetcher/history-lane.ts',
      search: 'const room = Math.min(OUTSTANDING - this.flights.size, CONCURRENT - fetching);',
      replace: 'const room = Math.min(OUTSTANDING, CONCURRENT - fetching);',
      killers: [
        by(
          'fetcher-history',
          'however long the history, no more than 32 ranges are published and not stored',
        ),
      ],
    },
    {
      name: 'says the same ranges every minute while workers are away',
      file: 'apps/fetcher/history-lane.ts',
      search: 'this.patienceMs = Math.min(this.patienceMs * 2, PATIENCE_LAST_MS);',
      replace: 'this.patienceMs = Math.min(this.patienceMs, PATIENCE_LAST_MS);',
      killers: [
        by(
          'fetcher-history',
          'what no worker stores is said again ever more rarely, so that the queue does not fill; once something is stored, soon again',
        ),
      ],
    },
    {
      name: 'says again every minute what workers passed on',
      file: 'apps/fetcher/history-lane.ts',
      search: "const queues = [{ lane: 'history' }, { lane: 'delayed' }] as const;",
      replace: "const queues = [{ lane: 'history' }] as const;",
      killers: [
        by(
          'fetcher-history',
          'what a worker passed on is not lost: it is said again as rarely as what waits in the queue',
        ),
      ],
    },
    {
      name: 'passes history on for ever that nobody can use',
      file: 'libs/broker/rabbit-consumer.ts',
      search: 'if (Date.now() - since > PASSED_ON_AT_MOST_MS) return',
      replace: 'if (Date.now() - since > PASSED_ON_AT_MOST_MS * 1_000) return',
      killers: [
        by(
          'broker-contract',
          'forgets history that nobody could use for ten minutes: whoever said it finds it missing',
        ),
      ],
    },
    {
      name: 'says news without bound',
      file: 'apps/fetcher/news-lane.ts',
      search: "if (lead.unapplied >= WINDOW) return { outcome: 'full' };",
      replace: "if (lead.unapplied >= WINDOW * 1_000) return { outcome: 'full' };",
      killers: [
        by(
          'fetcher-news',
          'a leader has at most 8 statements unapplied, and goes on when workers apply them',
        ),
      ],
    },
    {
      name: 'takes all messages at once',
      file: 'libs/broker/rabbit-consumer.ts',
      search: 'await channel.prefetch(prefetch);',
      replace: 'await channel.prefetch(prefetch * 0);',
      killers: [
        by('broker-contract', 'hands out no more than the prefetch before an ack, and one more for each ack'),
      ],
    },
    {
      name: 'reads answers of any size into memory',
      file: 'libs/chain/http-transport.ts',
      search: 'if (size > maxBytes) throw new AnswerTooLarge();',
      replace: 'if (size > maxBytes * 1_000) throw new AnswerTooLarge();',
      killers: [
        by('rpc-answers', 'an answer beyond the size that memory allows is cut off as too many results'),
      ],
    },
    {
      name: 'writes a stream to a client that takes nothing',
      file: 'apps/api/rest/pour.ts',
      search: 'if (response.write(text) || (await isTaken(response, patienceMs))) continue;',
      replace: 'if (response.write(text) || (await isTaken(response, patienceMs)) || true) continue;',
      killers: [
        by('rest-export', 'a client that stops reading is cut after its patience, and what it was told ends'),
      ],
    },
    {
      name: 'looks for one value of an indexed column through all newer rows',
      file: 'libs/database/event-pages.ts',
      search: 'event.allColumns.some((c) => c.indexed && isFixed(condition, c))',
      replace: 'event.allColumns.some((c) => !c.name && isFixed(condition, c))',
      killers: [
        by(
          'read-plans',
          'a value that was frequent until long ago is found by its index, whatever the statistics say',
        ),
      ],
    },
    {
      name: 'looks for unfinalized events through all final ones',
      file: 'libs/database/matching-rows.ts',
      search: "all.some((c) => c.kind === 'final' && !c.value)",
      replace: "all.some((c) => c.kind === 'final' && !c)",
      killers: [
        by(
          'read-plans',
          'a page looks at 3 times the rows that it gives at most, and at few pages, by index',
        ),
      ],
    },
  ],
};
