import { events } from '#libs/events/registry.js';

const event = events[0]!;
const field = `${event.name[0]!.toLowerCase()}${event.name.slice(1)}Events`;
const columns = event.columns.map((column) => column.property);
const indented = (spaces: number) => columns.map((name) => `\n${' '.repeat(spaces)}${name}`).join('');

/**
 * What GraphiQL shows at first; its run button asks which of them. One document and not tabs: in the bundled GraphiQL 5 a
 * click with the mouse doesn't switch to another tab (seen in Chromium 156).
 */
export const defaultQuery = [
  `# The newest events. Add a where: { … } (Ctrl-Space completes), page on with after: pageInfo.endCursor.
query Newest {
  ${field}(first: 20) {
    nodes {
      id
      blockTimestamp
      finality${indented(6)}
    }
    pageInfo { hasNextPage endCursor }
    asOf
  }
}
`,
  `# New events as they are stored. Give the last cursor as since: "…" to go on where you were.
subscription Live {
  ${field} {
    cursor
    changes {
      type
      node {
        id
        blockNumber
        blockTimestamp
        finality${indented(8)}
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
    backfill {
      progress
      etaSeconds
    }
  }
}
`,
].join('\n');
