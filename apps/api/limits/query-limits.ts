import { blockFieldSuggestionsPlugin } from '@escape.tech/graphql-armor-block-field-suggestions';
import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import {
  type ExecutionArgs,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  type ValidationContext,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { limits } from './limits.js';
import { costOf } from './query-cost.js';
import { refusal } from './refusals.js';

/** Counts requests of the current request's client. @returns RATE_LIMITED when they are too many. */
type Spend = (requests: number) => Promise<GraphQLError | null>;

/**
 * Refuses queries that are too long, too deep, or would bring too much. Plugins of the pipeline that HTTP, SSE and WebSocket share.
 * @param introspection whether clients may read the schema.
 */
export function queryLimits({ introspection, spend }: { introspection: boolean; spend: Spend }): Plugin[] {
  return [
    lengthLimit,
    maxTokensPlugin({ n: limits.queryTokens, onReject: [refuseTokens] }) as Plugin,
    maxDepthPlugin({
      n: limits.queryDepth,
      flattenFragments: true,
      propagateOnRejection: false,
      onReject: [reportDepth],
    }) as Plugin,
    maxAliasesPlugin({
      n: limits.queryAliases,
      propagateOnRejection: false,
      onReject: [reportAliases],
    }) as Plugin,
    costLimit(spend),
    // what isn't shown must not be guessed from "did you mean" either
    ...(introspection ? [] : [noIntrospection, blockFieldSuggestionsPlugin() as Plugin]),
  ];
}

const lengthLimit: Plugin = {
  onParse({ params }) {
    const { length } = params.source.toString();
    if (length > limits.queryCharacters)
      throw refusal(
        'QUERY_TOO_LONG',
        `The query has ${length} characters, at most ${limits.queryCharacters} are allowed: give values as variables.`,
      );
    return ({ result }) => {
      // graphql's own errors of syntax have no code
      if (result instanceof GraphQLError) result.extensions.code ??= 'GRAPHQL_PARSE_FAILED';
    };
  },
};

function refuseTokens(): never {
  throw refusal(
    'TOO_MANY_TOKENS',
    `The query has more than ${limits.queryTokens} tokens (words, numbers, brackets): ask in several requests, and give values as variables.`,
  );
}

const found = (error: GraphQLError) => /found (\d+)/.exec(error.message)?.[1];

function reportDepth(context: ValidationContext | null, error: GraphQLError): void {
  context!.reportError(
    refusal(
      'QUERY_TOO_DEEP',
      `The query is nested ${found(error)} fields deep, at most ${limits.queryDepth} are allowed.`,
    ),
  );
}

function reportAliases(context: ValidationContext | null, error: GraphQLError): void {
  context!.reportError(
    refusal(
      'TOO_MANY_ALIASES',
      `The query has ${found(error)} aliases, at most ${limits.queryAliases} are allowed: ask in several requests.`,
    ),
  );
}

/** Large answers count as several requests of their client. */
function costLimit(spend: Spend): Plugin {
  const problemOf = async (args: ExecutionArgs) => {
    const cost = costOf(args);
    if (cost instanceof GraphQLError) return cost;
    return spend(Math.floor(cost / limits.fieldsPerRequest));
  };
  return {
    async onExecute({ args, setResultAndStopExecution }) {
      const problem = await problemOf(args);
      if (problem) setResultAndStopExecution({ errors: [problem] });
    },
    async onSubscribe({ args, setResultAndStopExecution }) {
      const problem = await problemOf(args);
      if (problem) setResultAndStopExecution({ errors: [problem] });
    },
  };
}

const noIntrospection: Plugin = {
  onValidate({ addValidationRule }) {
    addValidationRule(NoSchemaIntrospectionCustomRule);
  },
};
