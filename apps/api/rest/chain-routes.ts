import type { GraphQLField, GraphQLSchema } from 'graphql';
import { readChains } from '../graphql/chain-resolver.js';
import type { ProgressWatch } from '../reads/progress.js';
import { notFound } from './errors.js';
import { jsonWriter } from './json.js';
import { argumentsOf, Parameters } from './parameters.js';
import { type Route, sendJson } from './route.js';

/** The chains and how they are doing. */
export function chainRoutes(schema: GraphQLSchema, progress: ProgressWatch): Route[] {
  const { chains, chain } = schema.getQueryType()!.getFields();
  const describe = (field: GraphQLField<unknown, unknown>, path: readonly string[] = []) => ({
    tag: 'Chains',
    operationId: field.name,
    summary: field.description ?? '',
    parameters: new Parameters(argumentsOf(field), path),
    answers: { description: field.description ?? '', mediaType: 'application/json', type: field.type },
  });
  const writeAll = jsonWriter(chains!.type);
  const writeOne = jsonWriter(chain!.type);
  return [
    {
      ...describe(chains!),
      path: '/api/chains',
      answer: async ({ response }) => sendJson(response, 200, writeAll(await readChains(progress))),
    },
    {
      ...describe(chain!, ['id']),
      path: '/api/chains/{id}',
      mayMiss: true,
      async answer({ response, args }) {
        const found = (await readChains(progress)).find(({ id }) => id === args.id);
        if (!found) throw notFound(`chain ${args.id} is not followed: /api/chains lists those that are`);
        sendJson(response, 200, writeOne(found));
      },
    },
  ];
}
