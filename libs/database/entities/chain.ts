import { defineEntity, p } from '@mikro-orm/core';
import type { EndpointStatus } from '#libs/chain/endpoint-health.js';
import { HexType } from '#libs/events/column-types.js';
import { type BlockRanges, MultirangeType } from './multirange-type.js';

/** One row per chain: what is stored of it, and what its leader last said about it. */
export const ChainEntity = defineEntity({
  name: 'Chain',
  tableName: 'chain',
  comment: 'Chains that were ever led by a fetcher.',
  properties: {
    chainId: p.bigint('number').primary().autoincrement(false).comment('EIP-155 chain id.'),
    name: p.text().comment('Readable name.'),
    lastProcessedBlock: p
      .bigint('number')
      .nullable()
      .comment(
        'Upper end of the part without holes, over all sources that count (source.counted_from); null: nothing yet.',
      ),
    finalizedBlock: p
      .bigint('number')
      .nullable()
      .comment('Height up to which the stored blocks are final; only a repair takes it back.'),
    headBlock: p.bigint('number').nullable().comment("Head that the leader's RPC showed last."),
    headTimestamp: p.datetime(0).nullable().comment('Time of that head block.'),
    state: p.text().default('starting').comment('starting, following, paused, unreachable, stuck or halted.'),
    stateReason: p.text().nullable().comment('Why, in words, when something is wrong.'),
    stateAt: p.datetime(3).defaultRaw('now()').comment('When the leader last said so.'),
    retractedAt: p
      .bigint('number')
      .nullable()
      .comment(
        'Position of the commit log from which on events that were told as final may be taken back, by a repair; null: none ever was.',
      ),
    endpoints: p
      .json()
      .$type<readonly EndpointStatus[]>()
      .defaultRaw("'[]'")
      .comment('How the RPC endpoints fare, as the leader last said: a list of host, healthy, reason.'),
  },
});

/** The lane of a chain's news: who leads, under which term, and how far its statements are applied (DESIGN §3.1–3.2). */
export const ChainLaneEntity = defineEntity({
  name: 'ChainLane',
  tableName: 'chain_lane',
  comment: "Leadership of each chain's news.",
  properties: {
    chainId: p.bigint('number').primary().autoincrement(false),
    term: p.bigint('number').comment('Raised by every takeover; statements of other terms are void.'),
    appliedSeq: p.bigint('number').comment('Sequence number of the last applied statement of the term.'),
    voidThrough: p
      .bigint('number')
      .default(0)
      .comment(
        'History said under this term or an earlier one is void: a repair has taken its finality back.',
      ),
    holder: p.text().comment('Name of the fetcher that leads.'),
    expiresAt: p.datetime(3).comment("End of the lease by the database's clock."),
  },
});

/** Who stands ready to lead a chain, and whom its leader has invited to: processes share the chains by it. */
export const ChainCandidateEntity = defineEntity({
  name: 'ChainCandidate',
  tableName: 'chain_candidate',
  comment: 'Fetchers that stand ready to lead a chain.',
  properties: {
    chainId: p.bigint('number').primary().autoincrement(false),
    process: p.text().primary().comment('Name of the fetcher, as in chain_lane.holder.'),
    expiresAt: p
      .datetime(3)
      .comment("Until when it stands ready by the database's clock, if it says no more."),
    invitedBy: p
      .text()
      .default('')
      .comment('The leader that invited it to take over: it leads more chains than this one.'),
    invitedUntil: p.datetime(3).defaultRaw("'-infinity'").comment('End of the invitation.'),
  },
});

/** A contract's event on a chain, and which blocks of it are stored: the ledger (DESIGN §3.3). */
export const SourceEntity = defineEntity({
  name: 'Source',
  tableName: 'source',
  comment: 'The ledger: which blocks are stored for each (chain, contract, event).',
  properties: {
    id: p.bigint('number').primary().autoincrement(),
    chainId: p.bigint('number'),
    address: p.type(new HexType()).$type<string>().comment('Contract, 20 bytes.'),
    event: p.text().comment('Name in the event registry.'),
    startBlock: p.bigint('number').comment('First block that is wanted.'),
    liveFrom: p
      .bigint('number')
      .nullable()
      .comment('First block that came as news; blocks below it are history.'),
    coverage: p
      .type(new MultirangeType())
      .$type<BlockRanges>()
      .defaultRaw("'{}'")
      .comment('Blocks whose rows are stored; changed only in the transaction that stores them.'),
    countedFrom: p
      .bigint('number')
      .nullable()
      .comment(
        "First block that chain.last_processed_block speaks of: the start block, once that doesn't take the chain's value back; null: it doesn't count yet.",
      ),
    verifiedBlock: p
      .bigint('number')
      .nullable()
      .comment(
        'Upper end of the part without holes from the start block whose rows a verification found equal to the chain; null: none.',
      ),
    createdAt: p.datetime(3).defaultRaw('now()'),
    retiredAt: p
      .datetime(3)
      .nullable()
      .comment("When the chain's leader no longer wanted it; its rows stay."),
  },
  uniques: [{ name: 'source_identity', properties: ['chainId', 'address', 'event'] }],
});

/** The live segment: the unfinalized part of each chain as its leader saw it, and the final block it stands on. */
export const BlockEntity = defineEntity({
  name: 'Block',
  tableName: 'block',
  comment: 'The live segment of each chain: parent-linked blocks from the finalized one to the tip.',
  properties: {
    chainId: p.bigint('number').primary().autoincrement(false),
    number: p.bigint('number').primary().autoincrement(false),
    hash: p.type(new HexType()).$type<string>(),
    parentHash: p.type(new HexType()).$type<string>(),
    timestamp: p.datetime(0),
  },
});
