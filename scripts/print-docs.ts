import '#libs/telemetry/node-version.js';
import { BUNGEE_GATEWAY, NFT } from '#apps/devchain/further-contracts.js';
import { devchainVariables } from '#apps/devchain/settings.js';
import { NATIVE, SOCKET_GATEWAY, STAGING_GATEWAY, TOKENS } from '#apps/devchain/socket-gateway.js';
import { chains } from '#libs/config/chains.js';
import { type ProcessVariables, processVariables } from '#libs/config/config.js';
import type { ReadVariable } from '#libs/config/variables.js';
import { eventSyntax } from '#libs/events/event-syntax.js';
import { events } from '#libs/events/registry.js';
import { registry } from '#libs/telemetry/metrics.js';
import { eventsPage } from './events-page.js';
import { writeOrCheck } from './generated-file.js';
import { limitsPage } from './limits-page.js';

const NOTE = "<!-- Written by npm run docs. Don't edit it. -->";

const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

function configuration(): string {
  const variables = processVariables(eventSyntax);
  const chainRows = chains.map((c) => [String(c.id), c.name, String(c.startBlock), String(c.confirmations)]);
  return `${[
    NOTE,
    '# Configuration',
    'Every process reads its settings from the environment. An empty variable counts as unset. A process with bad settings refuses to start and names all of them at once, each with its rule.',
    table(['variable', 'read by', 'meaning', 'a good value', 'default'], variableRows(variables)),
    '`start` is `npm start`: everything in one process. Without `CHAIN_ID`, `CHAINS` and `RPC_URLS` it follows a simulated chain; of the settings of a chain only `EVENTS` and `CONTRACT_ADDRESSES` are read then.',
    ...severalChains(variables),
    '## The simulator',
    table(
      ['variable', 'meaning', 'a good value', 'default'],
      variableRows([{ process: 'devchain', variables: devchainVariables() }]).map((row) =>
        row.toSpliced(1, 1),
      ),
    ),
    'Its events come from these contracts, at the addresses that they have on Ethereum:',
    table(['contract', 'address', 'events'], simulatedContracts()),
    'An ABI fragment in `EVENTS` finds the transfers: `EVENTS="event Transfer(address indexed from, address indexed to, uint256 value)"` with a token in `CONTRACT_ADDRESSES`.',
    '## The chain list',
    'These chains need no more than their id. For another one see [add-a-chain.md](add-a-chain.md).',
    table(['id', 'name', 'start block', 'confirmations without a `finalized` tag'], chainRows),
  ].join('\n\n')}\n`;
}

/** Which settings may end with a chain's id, and which must where there are several chains. */
function severalChains(processes: readonly ProcessVariables[]): string[] {
  const ofChain = processes.flatMap(({ variables }) => variables.filter((read) => read.ofChain));
  const names = (of: readonly ReadVariable[]) =>
    [...new Set(of.map(({ variable }) => `\`${variable.name}\``))].join(', ');
  return [
    "## A chain's own settings",
    `These are a chain's: ${names(ofChain)}. With the chain's id at its end (\`BATCH_SIZE_137\`) a setting is that chain's only, and goes before the one without, which holds for all chains of the process.`,
    `With several chains in \`CHAINS\`, those of which each chain has another value must end with an id: ${names(ofChain.filter(({ variable }) => variable.fitsOneChain))} (\`START_BLOCK=latest\` may be shared). An id that is not in \`CHAINS\` is refused. With \`CHAIN_ID\` alone, settings of other chains are left unread, so that processes with a chain each can share one environment. See [several-chains.md](several-chains.md).`,
  ];
}

function simulatedContracts(): string[][] {
  const tokens = TOKENS.filter(({ address }) => address !== NATIVE);
  return [
    [
      'SocketGateway',
      SOCKET_GATEWAY,
      'SocketBridge, SocketSwapTokens, SocketNonEvmDestBridge (both versions), SocketFeesDeducted, NewRouteAdded, RouteDisabled',
    ],
    ['BungeeGateway', BUNGEE_GATEWAY, 'RequestExtracted'],
    ['SocketGateway of a staging system', STAGING_GATEWAY, 'SocketBridge'],
    ...tokens.map(({ symbol, address }) => [symbol, address, '`Transfer` of ERC-20']),
    ['names of ENS', NFT, '`Transfer` of ERC-721'],
  ].map(([contract, address, emitted]) => [contract!, `\`${address}\``, emitted!]);
}

/** A row per variable; where `npm start`, which comes last, has another default, both are told. */
function variableRows(processes: readonly ProcessVariables[]): string[][] {
  const rows = new Map<string, { read: ReadVariable; by: string[]; defaults: string }>();
  for (const { process, variables } of processes) {
    for (const read of variables) {
      const row = rows.get(read.variable.name);
      if (!row) {
        rows.set(read.variable.name, { read, by: [process], defaults: defaultOf(read) });
        continue;
      }
      if (row.by.at(-1) !== process) row.by.push(process);
      if (process === 'start' && row.defaults !== defaultOf(read))
        row.defaults += `; start: ${defaultOf(read)}`;
    }
  }
  return [...rows].map(([name, { read, by, defaults }]) => {
    const { description, rule } = read.variable;
    return [`\`${name}\``, by.join(', '), escaped(description), escaped(rule), escaped(defaults)];
  });
}

function defaultOf({ variable, fallback }: ReadVariable): string {
  if (variable.unset !== undefined) return variable.unset;
  if (fallback === undefined) return 'required';
  return `\`${Array.isArray(fallback) ? fallback.join(',') : String(fallback)}\``;
}

function metrics(): string {
  const all = registry.getMetricsAsArray() as unknown as {
    name: string;
    help: string;
    type: string;
    labelNames?: string[];
  }[];
  const own = all.filter(({ help, labelNames }) => help && labelNames);
  const isDefault = ({ name }: { name: string }) => /^event_monitor_(nodejs|process)_/.test(name);
  const rows = own
    .filter((metric) => !isDefault(metric))
    .map(({ name, type, help, labelNames }) => {
      return [`\`${name}\``, type, (labelNames ?? []).map((l) => `\`${l}\``).join(', '), escaped(help)];
    });
  return `${[
    NOTE,
    '# Metrics',
    'Every process answers `GET /metrics` in the text format of Prometheus: the API on `PORT`, the others on `HEALTH_PORT`; the log says where at start. Units are seconds, blocks and counts.',
    'An API tells the state of all chains, from the database: also when their fetchers are gone. With several APIs take `max by (chain_id)`. Queue depths come from every worker: take `max by (queue)`.',
    table(['metric', 'type', 'labels', 'meaning'], rows),
    'Beside them every process tells its own memory, CPU, event loop and garbage collection (`event_monitor_process_…`, `event_monitor_nodejs_…`).',
    '## Worth an alert',
    table(
      ['when', 'because'],
      [
        [
          '`event_monitor_lag_seconds` above 10 block times for 5 min',
          'new events arrive late: look at `chain_state` and its reason in `chains` (GraphQL)',
        ],
        [
          '`event_monitor_chain_state{state="halted"} == 1`',
          'a reorg went below finality, or `RPC_URLS` are of another chain: [verify-and-repair.md](verify-and-repair.md)',
        ],
        ['`event_monitor_chain_state{state="unled"} == 1` for 1 min', 'no fetcher leads the chain'],
        [
          '`event_monitor_chain_state{state="stuck"} == 1` for 5 min',
          'the chain moves on and nothing follows: its reason in `chains` says what it waits for',
        ],
        ['`event_monitor_queue_messages{queue="dead"} > 0`', 'a message that no worker could store'],
        [
          '`increase(event_monitor_undecodable_logs[1h]) > 0`',
          'a contract emits what the event type does not expect',
        ],
        ['`event_monitor_queue_messages{queue="history"}` grows for 10 min', 'too few workers'],
        [
          '`increase(event_monitor_statements_total{outcome="left"}[10m]) > 0`',
          'a worker does not know an event that is followed: an older version, [update it](scaling.md#workers-of-two-versions)',
        ],
      ],
    ),
  ].join('\n\n')}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ');
}

writeOrCheck(
  {
    'docs/configuration.md': configuration(),
    'docs/events.md': eventsPage(NOTE, table, events),
    'docs/limits.md': `${NOTE}\n\n${limitsPage()}`,
    'docs/metrics.md': metrics(),
  },
  'npm run docs',
);
