import { by, type InvariantMutants } from './mutant.js';

export const nothingSkipped: InvariantMutants = {
  invariant: 'I1',
  mutants: [
    {
      name: 'acknowledges before the commit',
      file: 'apps/worker/delivery-queue.ts',
      search: `        await this.lane.store(group);
        for (const delivery of group) delivery.ack();`,
      replace: `        for (const delivery of group) delivery.ack();
        await this.lane.store(group);`,
      killers: [
        by('delivery-queue', 'a delivery is acknowledged once its transaction is committed, and not before'),
      ],
    },
    {
      name: 'changes the coverage of history in another transaction',
      file: 'libs/database/store-history.ts',
      search: `    await changeCoverage(
      tx,`,
      replace: `    await changeCoverage(
      database.statements,`,
      killers: [
        by(
          'storing-together',
          'a statement that fails at the very end leaves neither rows nor coverage nor progress',
        ),
      ],
    },
    {
      name: 'changes the coverage of news in another transaction',
      file: 'libs/database/apply-news.ts',
      search: 'await changeCoverage(tx, progress.coverage)',
      replace: 'await changeCoverage(database.statements, progress.coverage)',
      killers: [
        by(
          'storing-together',
          'a statement that fails at the very end leaves neither rows nor coverage nor progress',
        ),
      ],
    },
    {
      name: 'takes what is published for stored',
      file: 'apps/fetcher/history-lane.ts',
      search: 'const stored = published.filter((flight) => isStored(flight, sources));',
      replace: 'const stored = published.filter((flight) => isStored(flight, sources) || true);',
      killers: [
        by(
          'fetcher-history',
          'what no worker stores is said again ever more rarely, so that the queue does not fill; once something is stored, soon again',
        ),
      ],
    },
    {
      name: 'waits for hours for ranges that are lost',
      file: 'apps/fetcher/history-lane.ts',
      search: 'empty && at - publishedAt! > PATIENCE_FIRST_MS ?',
      replace: 'empty && at - publishedAt! > PATIENCE_LAST_MS ?',
      killers: [
        by(
          'fetcher-history',
          'what is lost while nothing was stored for hours is said again in a minute once the queue is empty, and not while it holds messages',
        ),
      ],
    },
    {
      name: 'plans the history without the final block itself',
      file: 'apps/fetcher/history-plan.ts',
      search: 'subtract([[source.startBlock, upTo + 1]], source.coverage)',
      replace: 'subtract([[source.startBlock, upTo]], source.coverage)',
      killers: [
        by(
          'fetcher-decisions',
          'history is planned exactly where it is missing and not in flight: lowest blocks first, none twice, within the bounds',
        ),
      ],
    },
    {
      name: 'last_processed_block ignores holes',
      file: 'libs/database/coverage.ts',
      search: '(select upper(r) - 1 from unnest(${coverage}) r where r @> ${first})',
      replace: '(select max(upper(r)) - 1 from unnest(${coverage}) r where ${first} is not null)',
      killers: [
        by('news-rules', 'a jump over a gap covers only what it states, and drops a dead branch below it'),
      ],
    },
    {
      name: 'last_processed_block stays ahead of what a reorg took away',
      file: 'libs/database/coverage.ts',
      search: 'update chain c set last_processed_block = p.block from',
      replace: 'update chain c set last_processed_block = greatest(c.last_processed_block, p.block) from',
      killers: [
        by(
          'parallel-workers',
          'five workers in parallel: at every moment all rows through lastProcessedBlock are the chain’s, and it goes back by reorgs only, to the blocks that stay',
        ),
      ],
    },
    {
      name: 'what is added takes last_processed_block back',
      file: 'libs/database/coverage.ts',
      search: "and (p.block is null or ${endOfPart('w', 'start_block')} >= p.block)",
      replace: "and (p.block is null or ${endOfPart('w', 'start_block')} is not null)",
      killers: [
        by(
          'ledger-arithmetic',
          'the last processed block is never ahead of what is stored, and goes back only by blocks that are dropped, whatever is added, removed or moved',
        ),
      ],
    },
    {
      name: 'trusts an empty answer where the bloom says maybe',
      file: 'libs/chain/endpoint.ts',
      search: "(verdict === 'maybe' && (await this.provesAbsence(header, filter)))",
      replace:
        "(verdict === 'maybe' && ((await this.provesAbsence(header, filter).catch(() => true)) || true))",
      killers: [by('block-logs-proof', 'a lagging log index that %s is found out by the bloom')],
    },
    {
      name: 'trusts the logs of a range whose last block the node lacks',
      file: 'libs/chain/range-reader.ts',
      search:
        "    if (!last) throw this.error('head_behind', `doesn't have block ${to}: its answer may be incomplete`);",
      replace: '    if (!last) return [];',
      killers: [
        by('log-range-answers', 'an empty answer of a node that lacks the last block proves nothing'),
      ],
    },
    {
      name: 'takes a call that the batch forgot to answer for an empty list',
      file: 'libs/chain/json-rpc.ts',
      search: 'byId.get(firstId + i) ?? (isBatch ? undefined : answers[0])',
      replace: 'byId.get(firstId + i) ?? (isBatch ? { result: [] } : answers[0])',
      killers: [
        by('rpc-answers', 'a call that the batch forgets to answer is an error, not an empty result'),
      ],
    },
    {
      name: 'takes null for no logs',
      file: 'libs/chain/rpc-log.ts',
      search: '  if (!Array.isArray(value))\n',
      replace: '  if (value === null) return [];\n  if (!Array.isArray(value))\n',
      killers: [
        by('log-range-answers', '%s is bad data, never stored'),
        by('block-logs-proof', 'an answer %s is bad data'),
      ],
    },
    {
      name: 'records finality without the second look at unproven blocks',
      file: 'apps/fetcher/news-lane.ts',
      search:
        'const missed = await lead.unproven.lookAgain(this.client, this.options, final, lead.known.segment);',
      replace: 'const missed = null as number | null;',
      killers: [
        by(
          'fetcher-unproven',
          'an event that a lagging log index hid is said before its block counts as final',
        ),
      ],
    },
    {
      name: 'believes, after a takeover, that stored blocks without rows are proven',
      file: 'apps/fetcher/lead.ts',
      search: 'new UnprovenBlocks(taken)',
      replace: 'new UnprovenBlocks({ ...taken, emptyHeights: [] })',
      killers: [
        by(
          'fetcher-unproven',
          'after a takeover, stored blocks without rows are asked for again, and those with rows are not said again',
        ),
      ],
    },
    {
      name: 'never says again what workers did not apply',
      file: 'apps/fetcher/chain-follower.ts',
      search:
        'if (lead.waitedMs > this.patienceMs && this.parts.broker.trouble === null) return this.losePatience();',
      replace: 'if (lead.waitedMs > Number.MAX_VALUE) return this.losePatience();',
      killers: [by('fetcher-failover', 'news that are lost with their queue are said again in a new term')],
    },
  ],
};
