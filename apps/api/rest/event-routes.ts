import {
  GraphQLBoolean,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
} from 'graphql';
import { kebabCase } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { stemOf } from '../graphql/event-resolver.js';
import type { Counted } from '../limits/counted.js';
import { EventReads, PAGE_DEFAULT, type PageArguments, type ReadParts } from '../reads/event-reads.js';
import { notFound } from './errors.js';
import { eventStream } from './event-stream.js';
import { jsonWriter } from './json.js';
import { exportRoute } from './ndjson-export.js';
import { argumentsOf, Parameters } from './parameters.js';
import { type Route, sendJson } from './route.js';
import { statsRoute } from './stats-route.js';

/** The GraphQL fields that an event's resources are made from. */
interface EventFields {
  readonly page: GraphQLField<unknown, unknown>;
  readonly one: GraphQLField<unknown, unknown>;
  readonly changes: GraphQLField<unknown, unknown>;
}

/** What the routes of an event type have in common. */
export interface EventRouteParts {
  readonly event: EventDefinition;
  readonly fields: EventFields;
  readonly reads: EventReads;
  /** `/api/socket-bridge-events` */
  readonly path: string;
}

/** Every resource of an event type, all from its definition. */
export function eventRoutes(
  event: EventDefinition,
  schema: GraphQLSchema,
  parts: ReadParts & { readonly subscriptions: Counted },
): Route[] {
  const stem = stemOf(event);
  const queries = schema.getQueryType()!.getFields();
  const fields = {
    page: queries[`${stem}Events`]!,
    one: queries[`${stem}Event`]!,
    changes: schema.getSubscriptionType()!.getFields()[`${stem}Events`]!,
  };
  const path = `/api/${kebabCase(event.name)}`;
  const all = { event, fields, reads: new EventReads(event, parts), path: `${path}-events` };
  // those with a fixed name before the id, which any name could be
  return [
    pageRoute(all),
    exportRoute(all),
    eventStream(all, parts.subscriptions),
    oneRoute(all),
    statsRoute(event, schema, parts, `${path}-stats`),
  ];
}

/** Fields of a connection that REST leaves out, since `nodes` and `pageInfo` tell the same. */
const LEFT_OUT = ['edges'];

function pageRoute({ event, fields, reads, path }: EventRouteParts): Route {
  const connection = getNamedType(fields.page.type) as GraphQLObjectType;
  const counts = Object.keys(connection.getFields()).filter((name) => name.startsWith('totalCount'));
  const withCount = jsonWriter(connection, LEFT_OUT);
  const withoutCount = jsonWriter(connection, [...LEFT_OUT, ...counts]);
  const totalCount = {
    name: 'totalCount',
    type: GraphQLBoolean,
    description: 'Also count all matching rows.',
    defaultValue: false,
  };
  return {
    path,
    tag: event.name,
    operationId: fields.page.name,
    summary: fields.page.description ?? '',
    description: 'The header `Link` leads to the next and the previous page.',
    parameters: new Parameters([...argumentsOf(fields.page), totalCount]),
    answers: {
      description: 'A page.',
      mediaType: 'application/json',
      type: connection,
      omit: LEFT_OUT,
      optional: counts,
    },
    async answer({ response, args, url }) {
      const wantsTotal = args.totalCount === true;
      const page = await reads.page(args as unknown as PageArguments, wantsTotal);
      const body = (wantsTotal ? withCount : withoutCount)(page) as PageBody;
      const link = linkOf(url, body.pageInfo);
      sendJson(response, 200, body, link ? { link } : {});
    },
  };
}

interface PageBody {
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** The header that leads on (RFC 8288); empty when there is no other page. */
function linkOf(
  url: URL,
  { hasNextPage, hasPreviousPage, startCursor, endCursor }: PageBody['pageInfo'],
): string {
  const links: string[] = [];
  const size = url.searchParams.get('first') ?? url.searchParams.get('last');
  const add = (relation: string, sizeName: string, cursorName: string, cursor: string) => {
    const query = new URLSearchParams(url.searchParams);
    for (const name of ['first', 'last', 'after', 'before']) query.delete(name);
    // without a size, `last` has none to say that the page is read from its end
    query.set(sizeName, size ?? String(PAGE_DEFAULT));
    query.set(cursorName, cursor);
    links.push(`<${url.pathname}?${query}>; rel="${relation}"`);
  };
  if (hasNextPage && endCursor) add('next', 'first', 'after', endCursor);
  if (hasPreviousPage && startCursor) add('prev', 'last', 'before', startCursor);
  return links.join(', ');
}

function oneRoute({ event, fields, reads, path }: EventRouteParts): Route {
  const write = jsonWriter(fields.one.type);
  return {
    path: `${path}/{id}`,
    tag: event.name,
    operationId: fields.one.name,
    summary: fields.one.description ?? '',
    parameters: new Parameters(argumentsOf(fields.one), ['id']),
    mayMiss: true,
    answers: {
      description: 'The event.',
      mediaType: 'application/json',
      type: getNamedType(fields.one.type) as GraphQLObjectType,
    },
    async answer({ response, args }) {
      const node = await reads.one(args.id as string);
      if (!node) throw notFound(`there is no ${event.name} event ${args.id}`);
      sendJson(response, 200, write(node));
    },
  };
}
