import { by, type InvariantMutants } from './mutant.js';

export const alone: InvariantMutants = {
  invariant: 'I6',
  mutants: [
    {
      name: 'a broken log aborts its batch',
      file: 'libs/database/decode-logs.ts',
      search: 'if (!(error instanceof UndecodableLog)) throw error;',
      replace: 'if (!(error instanceof UndecodableLog) || error.message) throw error;',
      killers: [
        by(
          'pipeline-anvil',
          'a broken log with the topic of SocketBridge is kept as undecodable with the reason, and the rest of its block is stored',
        ),
      ],
    },
    {
      name: 'gives messages up while the database is away',
      file: 'apps/worker/delivery-queue.ts',
      search: '|| isPermanent(error)) {',
      replace: '|| isPermanent(error) || error) {',
      killers: [
        by(
          'delivery-queue',
          'while the database is away deliveries are held, neither acknowledged nor given up, and stored once it is back',
        ),
      ],
    },
    {
      name: 'one message that can never be stored stops its queue',
      file: 'apps/worker/delivery-queue.ts',
      search: '|| isPermanent(error)) {',
      replace: '|| (isPermanent(error) && this.stopped)) {',
      killers: [
        by(
          'delivery-queue',
          'a message that can never be stored goes to the dead letters alone; the others of its group are stored',
        ),
      ],
    },
    {
      name: 'news of an event that no worker knows hold up other chains, until they are dead-lettered',
      file: 'apps/worker/worker.ts',
      search: '    if (delivery.redelivered) {',
      replace: '    if (delivery.redelivered && !queue) {',
      killers: [
        by(
          'rolling-upgrade',
          'what no worker knows waits and says so, the history and the news of other chains go on; once a worker knows it all is stored',
        ),
      ],
    },
    {
      name: 'a worker that does not know an event keeps the lane of its news',
      file: 'libs/broker/rabbit-consumer.ts',
      search: 'this.#delay(channel, message) : this.#renew(channel),',
      replace: 'this.#delay(channel, message) : this.#ack(channel, message),',
      killers: [
        by(
          'broker-contract',
          'hands news that were passed on to the next in line, with all that is behind them and in order',
        ),
      ],
    },
    {
      name: 'the refusal of one chain ends the others of its process',
      file: 'apps/fetcher/follow-chains.ts',
      search: 'if (!(error instanceof WrongChain || error instanceof FragmentRefused)) {',
      replace:
        'if (error instanceof WrongChain) throw error;\n      if (!(error instanceof FragmentRefused)) {',
      killers: [
        by(
          'several-chains',
          "a chain whose RPC is another chain's, and one whose RPC is away, leave the others of their process alone; readiness says why",
        ),
      ],
    },
    {
      name: 'hands chains back and forth',
      file: 'apps/fetcher/hand-over.ts',
      search: 'const UNEVEN = 2;',
      replace: 'const UNEVEN = 1;',
      killers: [
        by(
          'hand-over',
          'comes to an end: then no leader leads two chains more than a process that stands ready for one of them',
        ),
      ],
    },
    {
      name: 'forgets whom others have invited',
      file: 'apps/fetcher/hand-over.ts',
      search: 'if (invitedBy !== null && leaders.get(chainId) === invitedBy) settled.set(chainId, process);',
      replace: 'if (invitedBy === process) settled.set(chainId, process);',
      killers: [by('hand-over', 'counts as accepted: a leader invites for no more chains than make it even')],
    },
    {
      name: "takes over by anybody's invitation",
      file: 'libs/database/candidates.ts',
      search: 'and invited_by = ${leader} and invited_until > clock_timestamp()',
      replace: 'and (invited_by = ${leader} or true) and invited_until > clock_timestamp()',
      killers: [
        by('invitations', 'an invitation is void once it has run out, or is not of the process that leads'),
      ],
    },
    {
      name: 'takes over by an invitation again and again',
      file: 'libs/database/candidates.ts',
      search: "set invited_until = '-infinity'",
      replace: 'set invited_until = invited_until',
      killers: [by('invitations', 'an invitation is good for one takeover')],
    },
    {
      name: 'asks the first endpoint only',
      file: 'libs/chain/chain-client.ts',
      search: 'for (const health of this.inOrder()) {',
      replace: 'for (const health of this.inOrder().slice(0, 1)) {',
      killers: [
        by('rpc-failover', 'the first endpoint does the work, and again as soon as it has recovered'),
      ],
    },
    {
      name: 'asks an endpoint that is away without a rest',
      file: 'libs/chain/endpoint-health.ts',
      search: 'return Math.min(first * 2 ** this.failures++, last) * (0.75 + Math.random() / 2);',
      replace: 'return Math.min(first * 2 ** this.failures++, last) * 0;',
      killers: [by('rpc-failover', 'an endpoint that fails again and again rests ever longer')],
    },
    {
      name: 'spells out data that lists share',
      file: 'libs/events/data-reader.ts',
      search: 'this.allowance -= bytes;',
      replace: 'this.allowance -= 0;',
      killers: [
        by('data-reader', 'data that lists share is refused before it swells: 94 words say 27,000 numbers'),
      ],
    },
    {
      name: 'takes the success of older work for the end of a rest',
      file: 'libs/chain/endpoint-health.ts',
      search: 'if (since < this.allFailures) return;\n    this.outage.ended();',
      replace: 'if (since < 0) return;\n    this.outage.ended();',
      killers: [
        by(
          'rpc-failover',
          'work that was under way when an endpoint asked for rest doesn’t end the rest by its success',
        ),
      ],
    },
    {
      name: 'asks an endpoint that was away for everything at once',
      file: 'libs/chain/endpoint-health.ts',
      search: 'this.verifying ??= verify().finally(() => {',
      replace: 'this.verifying = verify().finally(() => {',
      killers: [
        by(
          'rpc-failover',
          'of all who wait for an endpoint that was away, it is asked one question at a time',
        ),
      ],
    },
    {
      name: 'says every failed try',
      file: 'libs/telemetry/outage-log.ts',
      search: '?? Number.NEGATIVE_INFINITY) < quietMs) return;',
      replace: '?? Number.NEGATIVE_INFINITY) < -quietMs) return;',
      killers: [
        by(
          'outage-log',
          'an outage is told when it begins, once a minute while it lasts, and when it is over',
        ),
      ],
    },
    {
      name: 'is ready although nobody stores what it says',
      file: 'apps/fetcher/chain-condition.ts',
      search: 'const stall = this.stalls.problem;',
      replace: 'const stall = this.stalls.problem && null;',
      killers: [by('watchdog', 'no worker')],
    },
    {
      name: 'is ready although nothing can be published',
      file: 'apps/fetcher/chain-condition.ts',
      search: 'const refused = this.brokerTrouble() ?? this.newsRefused ?? this.historyRefused;',
      replace: 'const refused = (this.brokerTrouble() ?? this.newsRefused ?? this.historyRefused) && null;',
      killers: [by('watchdog', 'RabbitMQ away')],
    },
  ],
};
