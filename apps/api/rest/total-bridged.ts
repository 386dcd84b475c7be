import { GraphQLNonNull, type GraphQLScalarType, type GraphQLSchema } from 'graphql';
import { NATIVE_COIN } from '#libs/config/tokens.js';
import { readStats } from '#libs/database/event-stats.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { badInput } from '../errors.js';
import type { ReadParts } from '../reads/event-reads.js';
import { conditionOf } from '../reads/where.js';
import { Parameters } from './parameters.js';
import { type Route, sendJson } from './route.js';

const amount = socketBridge.allColumns.find((column) => column.property === 'amount')!;

/**
 * How much of a token was sent to a chain: what the service that this one succeeds offered, and the one resource that is
 * SocketBridge's own.
 */
export function totalBridgedRoute(schema: GraphQLSchema, { database }: Pick<ReadParts, 'database'>): Route {
  const scalar = (name: string) => schema.getType(name) as GraphQLScalarType;
  const argument = (name: string, type: GraphQLScalarType, description: string) => ({
    name,
    type,
    description,
  });
  const required = (name: string, type: GraphQLScalarType, description: string) => ({
    ...argument(name, type, description),
    type: new GraphQLNonNull(type),
  });
  const args = [
    required('token', scalar('Address'), 'The token on the source chain.'),
    required('toChainId', scalar('BigInt'), 'The destination, as the contract emitted it.'),
    argument('chainId', scalar('SafeInt'), 'Only from this source chain; needed for the native coin.'),
  ].map((one) => ({ ...one, defaultValue: undefined }));
  return {
    path: '/api/total-bridged/{token}/{toChainId}',
    tag: socketBridge.name,
    operationId: 'totalBridged',
    summary: 'Sum of the amounts of a token that were sent to a chain, in the smallest unit of the token.',
    description:
      'Exact, as a decimal string; events that a reorg removed do not count. Without `chainId` it is the sum over all source chains on which a token has this address: those may be other tokens, with other decimals.',
    parameters: new Parameters(args, ['token', 'toChainId']),
    answers: {
      description: 'The sum.',
      mediaType: 'application/json',
      type: new GraphQLNonNull(scalar('BigInt')),
    },
    async answer({ response, args: { token, toChainId, chainId } }) {
      if (token === NATIVE_COIN && chainId === null)
        throw badInput(
          `${NATIVE_COIN} stands for the native coin of each chain, which is another coin on each: give chainId`,
        );
      const where = { token: { eq: token }, toChainId: { eq: toChainId }, chainId: { eq: chainId } };
      const condition = conditionOf(socketBridge, where);
      const request = { condition, groupBy: [], bucket: null, distinct: [], order: [], limit: 1 };
      const amounts = [{ kind: 'sum', column: amount }] as const;
      const [all] = await database.snapshot((tx) => readStats(tx, socketBridge, { ...request, amounts }));
      sendJson(response, 200, String(all!.sum.amount ?? 0n));
    },
  };
}
