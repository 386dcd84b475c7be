import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  getOperationAST,
  isListType,
  isObjectType,
} from 'graphql';
import { type ComplexityEstimatorArgs, getComplexity } from 'graphql-query-complexity';
import { withCode } from '../errors.js';
import { limits } from './limits.js';
import { refusal } from './refusals.js';

/** Arguments that say how many rows a field brings. */
const SIZES = ['first', 'last', 'batchSize'] as const;

const hasSize = (field: GraphQLField<unknown, unknown>) =>
  field.args.some(({ name }) => SIZES.some((size) => size === name));

const pages = new WeakMap<GraphQLSchema, ReadonlySet<string>>();

/** Names of the types of pages (connections, messages, stats): their lists are as long as the page's size says. */
function pageTypes(schema: GraphQLSchema): ReadonlySet<string> {
  const known = pages.get(schema);
  if (known) return known;
  const fields = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .flatMap((type) => Object.values(type.getFields()));
  const found = new Set(fields.filter(hasSize).map((field) => getNamedType(field.type).name));
  pages.set(schema, found);
  return found;
}

/**
 * What a query costs: the number of fields that its answer has if every page is full. Introspection costs nothing here;
 * graphql's own rules bound it.
 */
function costOfField(schema: GraphQLSchema, asked: ComplexityEstimatorArgs): number {
  const { type, field, childComplexity } = asked;
  if (type.name.startsWith('__') || field.name.startsWith('__')) return 0;
  return 1 + rowsOf(schema, asked) * childComplexity;
}

function rowsOf(schema: GraphQLSchema, { type, field, args }: ComplexityEstimatorArgs): number {
  if (hasSize(field)) {
    const asked = SIZES.map((size) => args[size]).find((n) => typeof n === 'number') ?? limits.pageDefault;
    // a size that no page may have is told by the reads, in their words
    return Math.min(Math.max(asked as number, 0), limits.pageMax);
  }
  const isList = isListType(getNullableType(field.type)) && isObjectType(getNamedType(field.type));
  return isList && !pageTypes(schema).has(type.name) ? limits.listLength : 1;
}

/** What an operation that was validated costs, or why it must not be executed. */
export function costOf(args: ExecutionArgs): number | GraphQLError {
  // no operation, or several without a name: the executor says so itself
  if (!getOperationAST(args.document, args.operationName)) return 0;
  const cost = reckonedCost(args);
  if (cost instanceof GraphQLError || cost <= limits.queryCost) return cost;
  return refusal(
    'QUERY_TOO_EXPENSIVE',
    `The answer could have ${cost} fields, at most ${limits.queryCost} are allowed: ask for fewer rows (\`first\`), fewer fields, or in several requests.`,
  );
}

function reckonedCost(args: ExecutionArgs): number | GraphQLError {
  try {
    return getComplexity({
      schema: args.schema,
      query: args.document,
      operationName: args.operationName ?? undefined,
      variables: { ...args.variableValues },
      estimators: [(asked) => costOfField(args.schema, asked)],
      // fragments that spread fragments make many fields of few words
      maxQueryNodes: limits.queryTokens,
    });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (!error.message.includes('number of nodes')) return unfitVariables(error);
    return refusal(
      'QUERY_TOO_EXPENSIVE',
      `The query has more than ${limits.queryTokens} fields once its fragments are spread: ask in several requests.`,
    );
  }
}

/** Variables that don't fit the schema are found here already. */
function unfitVariables(error: GraphQLError): GraphQLError {
  const coded = withCode(error, 'BAD_USER_INPUT');
  coded.extensions.http = { status: 400, spec: true };
  return coded;
}
