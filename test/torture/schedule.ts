import { seeded } from '../services/random-ledger.js';

/** Everything that is done to the system while it runs; RPC faults come on top, with every request. */
export const attackKinds = [
  'fetcher killed',
  'worker killed',
  'api killed',
  'fetcher frozen',
  'worker frozen',
  'api frozen',
  'broker crashed',
  'queues purged',
  'queues deleted',
  'postgres crashed',
  'broker connections cut',
  'postgres connections cut',
  'connections held up',
  'deliveries duplicated',
  'deliveries delayed',
  'deliveries reordered',
  'reorg to a longer branch',
  'reorg to an equal height',
  'reorg to a shorter branch',
  'reorg back to the old branch',
] as const;

export type AttackKind = (typeof attackKinds)[number];

/** One attack. */
export interface Attack {
  readonly kind: AttackKind;
  /** When it begins, in milliseconds since the faults began. */
  readonly atMs: number;
  /** Decides its victim, length and depth. @returns a whole number from 0 to below `n`. */
  readonly draw: (n: number) => number;
}

/**
 * What happens when: each kind equally often (once a minute, three times at least from two minutes on), in random order, evenly spread.
 * The same seed gives the same schedule; what it meets depends on the system's own timing.
 */
export function scheduleOf(seed: number, minutes: number): Attack[] {
  const random = seeded(seed);
  const rounds = minutes < 2 ? 1 : Math.max(3, Math.ceil(minutes * 1.5));
  const kinds = crashesLast(Array.from({ length: rounds }, () => shuffled(attackKinds, random)).flat());
  const step = (minutes * 60_000) / kinds.length;
  return kinds.map((kind, i) => ({
    kind,
    atMs: Math.round((i + random(1_000) / 1_000) * step),
    draw: seeded(random(2 ** 31)),
  }));
}

/**
 * Queues are deleted before the broker crashes for the first time, not after: RabbitMQ 3.10 loses a quorum queue that is deleted and declared
 * again within seconds of a crash, whoever the client is (seen 6 times of 6 right after the restart, and 0 of 2 after 25 s).
 */
function crashesLast(kinds: readonly AttackKind[]): AttackKind[] {
  const concerned: readonly AttackKind[] = ['queues deleted', 'broker crashed'];
  const inOrder = concerned.flatMap((kind) => kinds.filter((k) => k === kind));
  return kinds.map((kind) => (concerned.includes(kind) ? inOrder.shift()! : kind));
}

/** A copy in random order. */
export function shuffled<T>(items: readonly T[], random: (below: number) => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(random(left.length), 1)[0]!);
}
