import { type Column, referenceField } from '#libs/events/column.js';
import { events } from '#libs/events/registry.js';
import { stemOf } from './event-resolver.js';

const event = events[0]!;
const field = `${stemOf(event)}Events`;

/** The columns of the event with what they refer to, a line each. */
function columns(spaces: number): string {
  const lines = event.columns.flatMap((column) => [column.property, ...reference(column)]);
  return lines.map((line) => `\n${' '.repeat(spaces)}${line}`).join('');
}

function reference(column: Column): string[] {
  const name = referenceField(column);
  if (name === null) return [];
  return [`${name} { ${column.refersTo === 'token' ? 'symbol decimals' : 'id name'} }`];
}

/**
 * What GraphiQL shows at first; its run button asks which of them. One document and not tabs: in the bundled GraphiQL 5 a
 * click with the mouse doesn't switch to another tab (seen in Chromium 156).
 */
export const defaultQuery = [
  `# The run button asks which operation; Ctrl-Space completes. Each kind of event has the same fields as the one below:
${events.map((one) => `#   ${stemOf(one)}Events`).join('\n')}
# and so has each that EVENTS names by an ABI fragment: the schema lists them.

# The newest events. Page on with after: "<endCursor>".
query Newest {
  ${field}(first: 20) {
    nodes {
      id
      chain { id name }
      blockTimestamp
      finality${columns(6)}
      explorerLinks { tx }
    }
    pageInfo { hasNextPage endCursor }
    asOf
  }
}
`,
  `# Some of them, in an order of your own, and their number:
# here those that a reorg may still remove.
query Filtered {
  ${field}(
    first: 10
    where: { finality: { eq: UNFINALIZED } }
    orderBy: [{ field: chainId }, { field: blockNumber, direction: DESC }]
  ) {
    totalCount
    totalCountIsEstimate
    nodes { id chainId blockNumber${event.columns.map((c) => ` ${c.property}`).join('')} }
  }
}
`,
  `# What changes, as it is stored. To go on where you were, give
# since: "<the last cursor>", or the asOf of a page.
subscription Live {
  ${field} {
    cursor
    changes {
      type
      node {
        id
        chain { id name }
        blockNumber
        blockTimestamp
        finality${columns(8)}
      }
    }
  }
}
`,
  `# How the chains are doing.
query Chains {
  chains {
    id
    name
    state
    reason
    head
    finalized
    lastProcessedBlock
    lagBlocks
    lagSeconds
    backfill { progress etaSeconds }
  }
}
`,
].join('\n');
