import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  getOperationAST,
  Kind,
  visit,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { mapped } from '../feed/mapped.js';

/** A result with its JSON, which is written once for all who get it. GraphQL over HTTP takes the same `stringify`. */
export interface SharedResult extends ExecutionResult {
  readonly stringify?: () => string;
}

interface SharedOperation {
  subscribers: number;
  readonly results: WeakMap<object, SharedResult | Promise<SharedResult>>;
}

/**
 * Executes and serializes each message of a subscription once for all who asked for the same fields, whatever their filters and
 * cursors are: what a message holds doesn't depend on who asks.
 */
export function sharedExecution(): Plugin {
  const operations = new Map<string, SharedOperation>();
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn((args) => subscribe(args as ExecutionArgs, operations));
    },
  };
}

async function subscribe(args: ExecutionArgs, operations: Map<string, SharedOperation>) {
  const source = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const messages = (source as AsyncIterable<object>)[Symbol.asyncIterator]();
  const name = nameOf(args);
  const operation = operations.get(name) ?? { subscribers: 0, results: new WeakMap() };
  operations.set(name, operation);
  operation.subscribers++;
  let here = true;
  const leave = () => {
    if (here && --operation.subscribers === 0) operations.delete(name);
    here = false;
  };
  return mapped(messages, (message) => resultOf(args, message, operation), leave);
}

function resultOf(args: ExecutionArgs, message: object, { results }: SharedOperation) {
  const known = results.get(message);
  if (known) return known;
  const executed = execute({ ...args, rootValue: message });
  const result = executed instanceof Promise ? executed.then(withText) : withText(executed);
  results.set(message, result);
  return result;
}

function withText(result: ExecutionResult): SharedResult {
  // errors are masked later, differently for each request
  if (result.errors?.length) return result;
  let text: string | null = null;
  const stringify = () => {
    text ??= JSON.stringify(result);
    return text;
  };
  return { ...result, stringify };
}

/** Equal for operations that select the same fields of a message: arguments of the subscription itself say which messages come. */
function nameOf({ document, operationName, variableValues }: ExecutionArgs): string {
  const operation = getOperationAST(document, operationName);
  const used = new Set<string>();
  const note = { Variable: ({ name }: { name: { value: string } }) => void used.add(name.value) };
  for (const field of operation?.selectionSet.selections ?? []) {
    for (const directive of field.directives ?? []) visit(directive, note);
    if (field.kind !== Kind.FRAGMENT_SPREAD && field.selectionSet) visit(field.selectionSet, note);
  }
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) visit(definition, note);
  const values = [...used].sort().map((name) => variableValues?.[name]);
  return JSON.stringify([document.loc?.source.body, operationName, values]);
}
