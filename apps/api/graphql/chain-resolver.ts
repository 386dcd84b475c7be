import 'reflect-metadata';
import { GraphQLBoolean, GraphQLFloat, GraphQLString } from 'graphql';
import { Arg, Field, ObjectType, Query, Resolver, Root, Subscription } from 'type-graphql';
import { chainById } from '#libs/config/chains.js';
import type { ChainStatus, SourceStatus } from '#libs/database/chain-status.js';
import { mapped } from '../feed/mapped.js';
import { conditionOf, lagOf } from '../reads/chain-condition.js';
import type { BackfillProgress, ProgressWatch } from '../reads/progress.js';
import { AddressScalar, DateTimeScalar, SafeIntScalar } from './scalars.js';

@ObjectType({ description: 'Blocks from one to another, both included.' })
class BlockRange {
  @Field(() => SafeIntScalar, { description: 'First block.' })
  from!: number;
  @Field(() => SafeIntScalar, { description: 'Last block.' })
  to!: number;
}

@ObjectType({
  description: "How far the history of a chain, or of a contract's event on it, is stored up to finality.",
})
class Backfill {
  @Field(() => SafeIntScalar, {
    description: 'Blocks from the start block to finality; of a chain, over all sources that are followed.',
  })
  blocksWanted!: number;
  @Field(() => SafeIntScalar, { description: 'Those of these blocks that are stored.' })
  blocksStored!: number;
  @Field(() => GraphQLFloat, {
    description: 'blocksStored / blocksWanted, 0 to 1; 0 while no finality is known.',
  })
  progress!: number;
  @Field(() => GraphQLFloat, {
    nullable: true,
    description: 'Blocks stored per second over the last half minute; null: unknown yet.',
  })
  blocksPerSecond!: number | null;
  @Field(() => GraphQLFloat, {
    nullable: true,
    description: 'Seconds until nothing is missing at that rate; 0: done; null: unknown.',
  })
  etaSeconds!: number | null;
}

@ObjectType({ description: "A contract's event that is followed on a chain, or was." })
class Source {
  @Field(() => AddressScalar, { description: 'The contract.' })
  address!: string;
  @Field(() => GraphQLString, { description: 'Name of the event type.' })
  event!: string;
  @Field(() => GraphQLString, {
    description:
      '`filling` while blocks up to finality are missing, `complete` when none is, `retired` when it is no longer followed.',
  })
  state!: string;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Since when it is no longer followed; what was stored stays. Null: it is followed.',
  })
  retiredAt!: Date | null;
  @Field(() => SafeIntScalar, { description: 'First block that is wanted.' })
  startBlock!: number;
  @Field(() => SafeIntScalar, {
    nullable: true,
    description: 'First block that came live; blocks below it are history.',
  })
  liveFrom!: number | null;
  @Field(() => [BlockRange], { description: 'Blocks whose events are stored.' })
  coverage!: BlockRange[];
  @Field(() => SafeIntScalar, {
    nullable: true,
    description: 'End of its own part without holes, counted from its start block; null: nothing yet.',
  })
  lastProcessedBlock!: number | null;
  @Field(() => SafeIntScalar, {
    nullable: true,
    description:
      "First block of it that the chain's `lastProcessedBlock` speaks of. Null: it does not count yet, since it was added later and its history is still on its way.",
  })
  countedFrom!: number | null;
  @Field(() => Backfill, { description: 'How far its history is stored.' })
  backfill!: Backfill;
  @Field(() => SafeIntScalar, {
    nullable: true,
    description:
      'Verified through this block: up to it, from the start block on, `npm run verify` found the stored events equal to the chain. Null: not yet.',
  })
  verifiedBlock!: number | null;
}

@ObjectType({ description: "URL templates of the chain's block explorer." })
class Explorer {
  @Field(() => GraphQLString, { description: 'Home page.' })
  url!: string;
  @Field(() => GraphQLString, { description: 'Page of a transaction, with {hash}.' })
  tx!: string;
  @Field(() => GraphQLString, { description: 'Page of an address, with {address}.' })
  address!: string;
  @Field(() => GraphQLString, { description: 'Page of a block, with {number}.' })
  block!: string;
}

@ObjectType({ description: 'An RPC endpoint of a chain, as its fetcher sees it.' })
class Endpoint {
  @Field(() => GraphQLString, {
    description: 'Host, and port if given; never the whole URL, which may hold a key.',
  })
  host!: string;
  @Field(() => GraphQLBoolean, { description: 'Whether it answered the last time it was asked.' })
  healthy!: boolean;
  @Field(() => GraphQLString, { nullable: true, description: 'Its last failure, while it is not healthy.' })
  reason!: string | null;
}

@ObjectType('Chain', { description: 'A chain that is followed, and how it is doing.' })
class ChainType {
  @Field(() => SafeIntScalar, { description: 'EIP-155 chain id.' })
  id!: number;
  @Field(() => GraphQLString, { description: 'Readable name.' })
  name!: string;
  @Field(() => GraphQLString, {
    description:
      '`following` when all is well; else starting, paused, unreachable, stuck, halted, or unled (no fetcher leads it).',
  })
  state!: string;
  @Field(() => GraphQLString, { nullable: true, description: 'Why, in words, when something is wrong.' })
  reason!: string | null;
  @Field(() => DateTimeScalar, { description: 'When its fetcher last said so.' })
  stateAt!: Date;
  @Field(() => SafeIntScalar, { nullable: true, description: 'Height of the head that its RPC showed last.' })
  head!: number | null;
  @Field(() => SafeIntScalar, { nullable: true, description: 'Height up to which stored blocks are final.' })
  finalized!: number | null;
  @Field(() => SafeIntScalar, {
    nullable: true,
    description:
      'Through this block everything is stored, of all sources that count (`countedFrom`). Goes back only where a reorg or a repair takes blocks away. Null: nothing yet.',
  })
  lastProcessedBlock!: number | null;
  @Field(() => SafeIntScalar, {
    nullable: true,
    description:
      'Verified through this block: the lowest `verifiedBlock` of its sources; null: one has none.',
  })
  verifiedBlock!: number | null;
  @Field(() => SafeIntScalar, {
    nullable: true,
    description: 'Blocks from the newest stored block to the head: how far the live data is behind.',
  })
  lagBlocks!: number | null;
  @Field(() => GraphQLFloat, {
    nullable: true,
    description: "Seconds since the newest stored block's own time: how old the newest data is.",
  })
  lagSeconds!: number | null;
  @Field(() => Backfill, { description: 'How far the history is stored.' })
  backfill!: Backfill;
  @Field(() => [Source], { description: 'What is followed on it, then what was.' })
  sources!: Source[];
  @Field(() => SafeIntScalar, {
    description: 'Logs that carry a followed event but could not be decoded; see table undecodable_log.',
  })
  undecodableLogs!: number;
  @Field(() => SafeIntScalar, {
    description: 'Logs that claim the key of an event in another block; see table conflicting_log.',
  })
  conflictingLogs!: number;
  @Field(() => GraphQLBoolean, { description: 'Whether a fetcher leads it at the moment.' })
  isLed!: boolean;
  @Field(() => GraphQLString, {
    nullable: true,
    description: 'The fetcher that leads it: host, process id and a random part.',
  })
  leader!: string | null;
  @Field(() => [Endpoint], { description: 'Its RPC endpoints, the preferred one first.' })
  endpoints!: Endpoint[];
  @Field(() => Explorer, { nullable: true, description: 'Its block explorer, if known.' })
  explorer!: Explorer | null;
}

/** The status of chains. */
export function chainResolver(progress: ProgressWatch): new () => object {
  const shown = shownOnce(progress);
  @Resolver()
  class ChainResolver {
    @Query(() => [ChainType], { description: 'All chains, by id.' })
    async chains(): Promise<ChainType[]> {
      return readChains(progress);
    }

    @Query(() => ChainType, { nullable: true, description: 'One chain.' })
    async chain(
      @Arg('id', () => SafeIntScalar, { description: 'EIP-155 chain id.' }) id: number,
    ): Promise<ChainType | null> {
      return (await readChains(progress)).find((chain) => chain.id === id) ?? null;
    }

    @Subscription(() => [ChainType], {
      description:
        'How the chains are doing: all of them first, then those that changed, at most once a second. An empty list, after some seconds without a change, only shows life.',
      subscribe: () => mapped(progress.changes.follow(), shown),
    })
    chainStatus(@Root() chains: ChainType[]): ChainType[] {
      return chains;
    }
  }
  return ChainResolver;
}

/** Chains as they are shown, made once of the statuses that several subscribers get. */
function shownOnce(progress: ProgressWatch): (statuses: readonly ChainStatus[]) => ChainType[] {
  const shown = new WeakMap<readonly ChainStatus[], ChainType[]>();
  return (statuses) => {
    const known = shown.get(statuses);
    if (known) return known;
    const chains = statuses.map((status) => chainOf(status, progress));
    shown.set(statuses, chains);
    return chains;
  };
}

/** All chains as clients see them, read now. */
export async function readChains(progress: ProgressWatch): Promise<ChainType[]> {
  return (await progress.statuses()).map((status) => chainOf(status, progress));
}

/** A chain as clients see it. */
function chainOf(status: ChainStatus, progress: ProgressWatch): ChainType {
  const followed = status.sources.filter((source) => source.retiredAt === null);
  const explorer = chainById(status.chainId)?.explorer;
  return {
    id: status.chainId,
    name: status.name,
    ...conditionOf(status),
    stateAt: status.stateAt,
    head: status.headBlock,
    finalized: status.finalizedBlock,
    lastProcessedBlock: status.lastProcessedBlock,
    verifiedBlock: lowest(followed.map((source) => source.verifiedBlock)),
    ...lagOf(status),
    backfill: backfillOf(progress.progressOf(status)),
    sources: status.sources.map((source) => sourceOf(source, progress.progressOfSource(status, source))),
    undecodableLogs: status.undecodable,
    conflictingLogs: status.conflicting,
    isLed: status.leader !== null,
    leader: status.leader,
    endpoints: [...status.endpoints],
    explorer: explorer
      ? {
          url: explorer,
          tx: `${explorer}/tx/{hash}`,
          address: `${explorer}/address/{address}`,
          block: `${explorer}/block/{number}`,
        }
      : null,
  };
}

function sourceOf(source: SourceStatus, progress: BackfillProgress): Source {
  const { startBlock, coverage, retiredAt } = source;
  const first = coverage.find(([from, to]) => from <= startBlock && startBlock < to);
  const followed = progress.etaSeconds === 0 ? 'complete' : 'filling';
  return {
    ...source,
    state: retiredAt === null ? followed : 'retired',
    coverage: coverage.map(([from, to]) => ({ from, to: to - 1 })),
    lastProcessedBlock: first ? first[1] - 1 : null,
    backfill: backfillOf(progress),
  };
}

function backfillOf({ fraction, ...progress }: BackfillProgress): Backfill {
  return { ...progress, progress: fraction };
}

/** The lowest, or null when one is null or there is none. */
function lowest(blocks: readonly (number | null)[]): number | null {
  const known = blocks.filter((block) => block !== null);
  return known.length && known.length === blocks.length ? Math.min(...known) : null;
}
