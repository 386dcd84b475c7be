import { buildSchema, GraphQLObjectType, parse } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { expect, test } from 'vitest';
import { type SharedResult, sharedExecution } from '#apps/api/graphql/shared-execution.js';

/** A subscription that gives everybody the same messages, and counts how often one of their fields is resolved. */
function serve() {
  const messages = [{ n: 1 }, { n: 2 }];
  const counted = { resolved: 0 };
  const schema = buildSchema(`
    type Query { a: Int }
    type Message { n(times: Int = 1): Int }
    type Subscription { messages(since: String): Message }`);
  const field = schema.getSubscriptionType()!.getFields().messages!;
  field.subscribe = async function* () {
    yield* messages;
  };
  field.resolve = (message) => message;
  (schema.getType('Message') as GraphQLObjectType).getFields().n!.resolve = ({ n }, { times }) => {
    counted.resolved++;
    return n * times;
  };
  const yoga = createYoga({ schema, logging: false, plugins: [sharedExecution()] });
  const subscribe = async (query: string, variableValues: Record<string, unknown> = {}) => {
    const enveloped = yoga.getEnveloped({});
    const contextValue = await enveloped.contextFactory();
    return (await enveloped.subscribe({
      schema: enveloped.schema,
      document: parse(query),
      variableValues,
      contextValue,
    })) as AsyncGenerator<SharedResult>;
  };
  return { counted, subscribe };
}

const query = `subscription ($since: String, $times: Int) { messages(since: $since) { n(times: $times) } }`;

test('a message is executed and written once for all who select the same, whatever their cursors', async () => {
  const { counted, subscribe } = serve();
  const streams = await Promise.all([1, 2, 3].map((n) => subscribe(query, { since: `${n}`, times: 5 })));
  const firsts = await Promise.all(
    streams.map(async (stream) => (await stream.next()).value as SharedResult),
  );
  expect(counted.resolved).toBe(1);
  expect(new Set(firsts).size).toBe(1);
  expect(firsts[0]!.stringify!()).toBe('{"data":{"messages":{"n":5}}}');
});

test('who selects something else, or gives another value to what is selected, gets an answer of its own', async () => {
  const { counted, subscribe } = serve();
  const streams = [
    await subscribe(query, { times: 1 }),
    await subscribe(query, { times: 2 }),
    await subscribe('subscription { messages { twice: n(times: 2) } }'),
    await subscribe('subscription ($skip: Boolean = true) { messages { n @skip(if: $skip) } }', {
      skip: true,
    }),
    await subscribe('subscription ($skip: Boolean = true) { messages { n @skip(if: $skip) } }', {
      skip: false,
    }),
  ];
  const answers = [];
  for (const stream of streams) answers.push((await stream.next()).value?.data);
  expect(answers).toEqual([
    { messages: { n: 1 } },
    { messages: { n: 2 } },
    { messages: { twice: 2 } },
    { messages: {} },
    { messages: { n: 1 } },
  ]);
  expect(counted.resolved).toBe(4);
});
