import { by, type InvariantMutants } from './mutant.js';

const refused = by(
  'news-rules',
  'blocks that are no child of the stored chain, or reach below finality, are refused',
);
const finality = by(
  'news-rules',
  'finality takes effect only upwards and only for a block that is held with that hash',
);
const oneLeads = by(
  'news-rules',
  'one fetcher leads at a time; a lease that has ended is taken over with a higher term',
);

export const canonical: InvariantMutants = {
  invariant: 'I3',
  mutants: [
    {
      name: 'applies statements of an old term',
      file: 'libs/database/apply-news.ts',
      search: 'if (statement.term !== term || statement.seq !== progress.appliedSeq + 1)',
      replace: 'if (statement.seq !== progress.appliedSeq + 1 || term < 0)',
      killers: [by('news-rules', 'a zombie leader cannot undo a newer block')],
    },
    {
      name: 'applies statements out of order',
      file: 'libs/database/apply-news.ts',
      search: 'if (statement.term !== term || statement.seq !== progress.appliedSeq + 1)',
      replace: 'if (statement.term !== term)',
      killers: [by('news-rules', 'a repeated statement and one that follows a lost one take no effect')],
    },
    {
      name: 'what a repair leaves as it is stays verified',
      file: 'apps/verify/verification.ts',
      search: 'await forgetVerified(database.statements, chainId, [...found.sources], found.lowest);',
      replace:
        'if (!repair) await forgetVerified(database.statements, chainId, [...found.sources], found.lowest);',
      killers: [by('verify', 'an RPC that conceals logs takes no row away where a second endpoint shows it')],
    },
    {
      name: 'a repair removes rows that have been put right since they were seen',
      file: 'libs/database/repair-range.ts',
      search: '${some} and t.block_number between ${from} and ${to}',
      replace: '${some} and ${to} >= ${from}',
      killers: [
        by(
          'history-repairs',
          'a row that was seen in a wrong place, and is back in its own by the time of the repair, is not marked removed',
        ),
      ],
    },
    {
      name: "takes back only the stated sources' coverage",
      file: 'libs/database/coverage.ts',
      search: 'dropCoverage(tx, change.chainId, change.dropped);',
      replace: 'dropCoverage(tx, change.chainId, change.dropped, change.sources);',
      killers: [
        by(
          'news-rules',
          'a reorg takes back the coverage of every source of the chain, also of those that are not followed now',
        ),
      ],
    },
    {
      name: 'drops heights, not hashes: stated blocks too',
      file: 'libs/database/apply-advance.ts',
      search: '([number, hash]) => number > above && !stated.has(hash)',
      replace: '([number, hash]) => number > above && (!stated.has(hash) || true)',
      killers: [
        by('news-rules', 'blocks stated again with the same content touch no row and take no position'),
      ],
    },
    {
      name: 'removes all rows above the fork point, not those of the dropped blocks',
      file: 'libs/database/event-rows.ts',
      search: 't.block_number > ${above} and t.block_hash = any(${bytesOf(hashes)}::text[]::bytea[])`',
      replace: 't.block_number > ${above} and ${bytesOf(hashes)}::text[] is not null`',
      killers: [by('news-rules', 'of blocks that are stated again beside new ones, no row is touched')],
    },
    {
      name: 'removes no rows in a reorg',
      file: 'libs/database/apply-advance.ts',
      search: '  if (!hashes.length) return removed;',
      replace: '  if (hashes.length < 1_000_000) return removed;',
      killers: [
        by(
          'news-rules',
          'a reorg marks the rows of the dropped blocks removed and takes back their coverage',
        ),
      ],
    },
    {
      name: 'a reorg takes back no coverage',
      file: 'libs/database/coverage.ts',
      search: '  if (change.dropped.length) await',
      replace: '  if (change.dropped.length > 1_000_000) await',
      killers: [
        by(
          'news-rules',
          'a reorg marks the rows of the dropped blocks removed and takes back their coverage',
        ),
      ],
    },
    {
      name: 'takes a lower head for a reorg',
      file: 'apps/fetcher/decide.ts',
      search: "if (head < top && fork === head) return { kind: 'pause' };",
      replace: "if (head < top && fork === head) return { kind: 'advance', above: head - 1, from: head };",
      killers: [
        by(
          'fetcher-decisions',
          'pauses when the head is lower and agrees, also when something must be stated again',
        ),
      ],
    },
    {
      name: 'says a reorg below the recorded finality',
      file: 'apps/fetcher/decide.ts',
      search: 'const above = Math.max(finalized ?? -1, Math.min(fork, coveredTo));',
      replace: 'const above = Math.min(fork, coveredTo);',
      killers: [by('fetcher-decisions', 'never goes below the recorded finality')],
    },
    {
      name: 'news moves a row that another block holds',
      file: 'libs/database/event-rows.ts',
      search: "mode === 'final' ? sql`true`",
      replace: "mode === 'final' || mode === 'news' ? sql`true`",
      killers: [
        by('news-rules', 'news leaves a row that another block holds, and keeps the claim as conflicting'),
      ],
    },
    {
      name: 'applies blocks that are no child of the stored chain',
      file: 'libs/database/apply-advance.ts',
      search: 'below !== blocks[0]!.parentHash) return null;',
      replace: 'below === blocks[0]!.hash) return null;',
      killers: [refused],
    },
    {
      name: 'applies blocks below the recorded finality',
      file: 'libs/database/apply-news.ts',
      search: 'if (progress.finalized !== null && statement.above < progress.finalized)',
      replace: 'if (progress.finalized !== null && statement.above < 0)',
      killers: [refused],
    },
    {
      name: 'takes finality of a block with another hash',
      file: 'libs/database/apply-news.ts',
      search: 'and hash = ${`\\\\x${hash.slice(2)}`}::text::bytea`.execute(',
      replace: 'and ${`\\\\x${hash.slice(2)}`}::text is not null`.execute(',
      killers: [finality],
    },
    {
      name: 'prunes the segment one too high: the final block, too',
      file: 'libs/database/apply-news.ts',
      search: 'delete from block where chain_id = ${chainId} and number < ${number}',
      replace: 'delete from block where chain_id = ${chainId} and number <= ${number}',
      killers: [by('news-rules', 'the stored segment stands on its final block')],
    },
    {
      name: 'takes over from itself without looking whether the term is still its own',
      file: 'libs/database/ledger.ts',
      search: 'if (claim.ownTerm !== undefined ? !own : !free) return null;',
      replace: 'if (claim.ownTerm === undefined && !free && !own) return null;',
      killers: [oneLeads],
    },
    {
      name: 'takes over from a leader whose lease runs',
      file: 'libs/database/ledger.ts',
      search: 'const free = lane.free ||',
      replace: 'const free = lane.term !== undefined ||',
      killers: [oneLeads],
    },
    {
      name: 'takes over without a new term',
      file: 'libs/database/ledger.ts',
      search: 'const term = Number(lane.term) + 1;',
      replace: 'const term = Math.max(1, Number(lane.term));',
      killers: [oneLeads],
    },
    {
      name: 'goes on although the chain shows another block where ours is final',
      file: 'apps/fetcher/news-lane.ts',
      search: '  if (theirs.hash !== ours) {',
      replace: '  if (theirs.hash === undefined && ours) {',
      killers: [
        by(
          'fetcher-news',
          'another block at the height that is stored as final stops the leader: nothing is said',
        ),
      ],
    },
    {
      name: 'states blocks that are not linked to each other',
      file: 'apps/fetcher/news-lane.ts',
      search: 'if (expected !== undefined && header.parentHash !== expected) {',
      replace: 'if (expected !== undefined && header.parentHash === undefined) {',
      killers: [
        by('fetcher-news', 'blocks that are no chain, since it changed while it was read, are not stated'),
      ],
    },
    {
      name: "takes logs whose block hash isn't the header's, by block",
      file: 'libs/chain/endpoint.ts',
      search: 'log.blockHash !== hash || log.blockNumber !== number',
      replace: 'log.blockNumber !== number',
      killers: [by('block-logs-proof', 'an answer %s is bad data')],
    },
    {
      name: "takes logs whose block hash isn't the header's, by range",
      file: 'libs/chain/range-reader.ts',
      search: 'if ((hashes.get(blockNumber) ?? blockHash) !== blockHash) {',
      replace: 'if (blockHash.length < 2) {',
      killers: [by('log-range-answers', '%s is bad data, never stored')],
    },
    {
      name: "believes logs whose chain's id comes in another request",
      file: 'libs/chain/range-reader.ts',
      search: 'if (together < calls.length) await this.assertSame(calls[0]!, logs);',
      replace: 'if (together < 1) await this.assertSame(calls[0]!, logs);',
      killers: [
        by(
          'rpc-history',
          'logs of another chain, which a name leads to for a moment, are never believed, also in batches of %i',
        ),
      ],
    },
    {
      name: 'says the history of whatever branch an endpoint has',
      file: 'apps/fetcher/history-lane.ts',
      search: 'endpoint.logsFrom(from, range.to, filter, anchor)',
      replace: 'endpoint.logsFrom(from, range.to, filter, anchor && undefined)',
      killers: [
        by(
          'fetcher-history',
          'the history of an endpoint that has another block where ours is final is never said, though no other endpoint answers',
        ),
      ],
    },
    {
      name: 'says first blocks of whatever chain a name leads to',
      file: 'apps/fetcher/news-lane.ts',
      search: '    if (parent === undefined) await endpoint.assertOnChain(headers[0]!);\n',
      replace: '',
      killers: [by('fetcher-news', '%s, no block of it is said')],
    },
    {
      name: 'takes a block of another height than it asked for',
      file: 'libs/chain/answer-reader.ts',
      search: 'if (header && header.number !== number) {',
      replace: 'if (header && header.number < 0) {',
      killers: [by('rpc-failover', 'a header of another height than asked is refused')],
    },
    {
      name: 'follows an endpoint of another chain',
      file: 'libs/chain/chain-client.ts',
      search: 'if (answered === chainId) return health.verified(since);',
      replace: 'if (answered > 0) return health.verified(since);',
      killers: [
        by(
          'rpc-failover',
          'a wrong chain behind the only endpoint is found although it came up late, and waited out',
        ),
      ],
    },
    {
      name: 'counts removed events in aggregates',
      file: 'libs/database/event-stats.ts',
      search: 'matchingRows(event, { ...request, includeRemoved: false })',
      replace: 'matchingRows(event, { ...request, includeRemoved: true })',
      killers: [
        by('event-stats', 'any filter, grouping and bucket gives exactly the figures of the rows that match'),
      ],
    },
  ],
};
