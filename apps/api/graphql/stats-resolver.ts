import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Info, Int, Query, Resolver } from 'type-graphql';
import type { Bucket } from '#libs/database/event-stats.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { ReadParts } from '../reads/event-reads.js';
import {
  BUCKETS_MAX,
  EventStats,
  GROUPS_DEFAULT,
  GROUPS_MAX,
  type StatsArguments,
  type StatsFigures,
} from '../reads/stats.js';
import type { WhereInput } from '../reads/where.js';
import { stemOf } from './event-resolver.js';
import { selectedFields } from './selected-fields.js';
import { statsTypes } from './stats-types.js';
import type { TypeClass } from './type-class.js';

/** The query for aggregates of one event type, from its definition. @param whereType its filter input. */
export function statsResolver(
  event: EventDefinition,
  whereType: TypeClass,
  parts: Pick<ReadParts, 'database'>,
): new () => object {
  const types = statsTypes(event);
  const stats = new EventStats(event, parts.database);

  @Resolver()
  class StatsResolver {
    @Query(() => types.stats, {
      name: `${stemOf(event)}Stats`,
      description: `Counts and sums of ${event.name} events that are in the chain (removed ones never count).`,
    })
    read(
      @Info() info: GraphQLResolveInfo,
      @Arg('where', () => whereType, { nullable: true, description: 'Only events that match.' })
      where: WhereInput | null,
      @Arg('groupBy', () => [types.groupField], {
        nullable: true,
        description: 'A group for each combination of values of these columns; none: one group of all.',
      })
      groupBy: StatsArguments['groupBy'],
      @Arg('bucket', () => types.bucket, {
        nullable: true,
        description: `A group for each stretch of time; then \`where\` must give a range of blockTimestamp with at most ${BUCKETS_MAX} of them.`,
      })
      bucket: Bucket | null,
      @Arg('orderBy', () => [types.orderBy], {
        nullable: true,
        description:
          'By default the newest bucket first, or without `bucket` the largest count first. Null comes last, in either direction.',
      })
      orderBy: StatsArguments['orderBy'],
      @Arg('first', () => Int, {
        nullable: true,
        description: `Groups from the beginning; ${GROUPS_DEFAULT} by default, ${GROUPS_MAX} at most.`,
      })
      first: number | null,
    ): Promise<object> {
      return stats.read({ where, groupBy, bucket, orderBy, first }, figuresOf(info));
    }
  }
  return StatsResolver;
}

function figuresOf(info: GraphQLResolveInfo): StatsFigures {
  const of = (figure: string) => [...selectedFields(info, ['groups', figure])];
  return { distinct: of('distinct'), sum: of('sum'), min: of('min'), max: of('max') };
}
