import { type GraphQLObjectType, getNamedType } from 'graphql';
import type { PageArguments } from '../reads/event-reads.js';
import type { EventRouteParts } from './event-routes.js';
import { jsonWriter } from './json.js';
import { argumentsOf, Parameters } from './parameters.js';
import { pour } from './pour.js';
import type { Route } from './route.js';

/** Rows read at once: what waits for a slow client is some 1.5 MB at most. */
const ROWS_PER_PAGE = 250;
/** Rows written at once: some 60 kB. */
const ROWS_PER_PIECE = 50;

/** What an export takes of a page's arguments: any other order than the index's would sort the whole table for each page. */
const TAKEN = ['where', 'after', 'includeRemoved'];

/** Every page has the cursors of its rows. */
interface Page {
  readonly edges: readonly { readonly node: object; readonly cursor: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  readonly asOf: string;
}

/**
 * All rows of a filter, one JSON object a line. Read page by page with no transaction in between: one snapshot for the whole would
 * hold back vacuum, and a connection, for as long as the slowest client likes. What changes meanwhile is told by the feed since
 * the first page's `asOf`, so that both together are exact.
 */
export function exportRoute({ event, fields, reads, path }: EventRouteParts): Route {
  const node = getNamedType(fields.one.type) as GraphQLObjectType;
  const write = jsonWriter(node);
  async function* pages(args: object, first: Page): AsyncGenerator<Page> {
    for (let page = first; ; ) {
      yield page;
      const { hasNextPage, endCursor } = page.pageInfo;
      if (!hasNextPage) return;
      page = (await reads.page({ ...args, after: endCursor } as PageArguments, false)) as Page;
    }
  }
  function* lines({ edges }: Page): Generator<string> {
    for (let at = 0; at < edges.length; at += ROWS_PER_PIECE) {
      const some = edges.slice(at, at + ROWS_PER_PIECE);
      yield some
        .map((row) => `${JSON.stringify({ ...(write(row.node) as object), cursor: row.cursor })}\n`)
        .join('');
    }
  }
  return {
    path: `${path}/export.ndjson`,
    tag: event.name,
    operationId: `${fields.page.name}Export`,
    summary: `All ${event.name} events of a filter, newest first, one JSON object a line.`,
    description:
      'Goes on behind `after`, the `cursor` of the last line that arrived. The header `Feed-Cursor` is the place in the live feed at which it began: a stream since there tells what changed meanwhile. An export that is cut off ends without the end of its transfer, which clients report.',
    parameters: new Parameters(argumentsOf(fields.page).filter((argument) => TAKEN.includes(argument.name))),
    answers: {
      description: 'The rows.',
      mediaType: 'application/x-ndjson',
      type: node,
      added: { cursor: 'Cursor of the row, for `after`.' },
    },
    async answer({ request, response, args }) {
      const asked = { ...args, orderBy: null, first: ROWS_PER_PAGE, last: null, before: null };
      const first = (await reads.page(asked as unknown as PageArguments, false)) as Page;
      response.writeHead(200, {
        'content-type': 'application/x-ndjson; charset=utf-8',
        'content-disposition': `attachment; filename="${path.slice('/api/'.length)}.ndjson"`,
        'feed-cursor': first.asOf,
      });
      if (request.method !== 'HEAD') await pour(response, pages(asked, first), { textOf: lines });
      response.end();
    },
  };
}
