import { randomUUID } from 'node:crypto';
import type { FaultKind } from '#apps/devchain/faults.js';
import { allQueues } from '#libs/broker/broker.js';
import { queueName } from '#libs/broker/names.js';
import { System } from '../services/system.js';
import { until } from '../services/until.js';
import { Attacker } from './attacks.js';
import { Audience } from './audience.js';
import { Crew } from './crew.js';
import { Judge } from './judge.js';
import { leastOf, missingFor, REORGS, type TortureReport, total } from './report.js';
import { rpcFaultKinds, rpcFaultRates } from './rpc-fault-rates.js';
import { type Attack, scheduleOf } from './schedule.js';
import { Watch } from './watch.js';
import { EVENTS, GATEWAY, lasting, World } from './world.js';

/** Environment of the system's processes; small ranges and few calls a second, so that the history lasts into the run. */
const ENVIRONMENT = {
  CHAIN_ID: '0',
  CONTRACT_ADDRESSES: GATEWAY,
  EVENTS: EVENTS.join(),
  START_BLOCK: '1',
  BATCH_SIZE: '100',
  POLLING_INTERVAL_MS: '100',
  RPC_MAX_RPS: '40',
  HEALTH_PORT: '0',
  LOG_LEVEL: 'info',
};

/** How long the system may take to store the tips that the chains had when the faults stopped. */
const RECOVERY_PATIENCE_MS = 120_000;

/** How much longer the RPC faults may last until each has happened often enough. */
const SELDOM_PATIENCE_MS = 60_000;

export interface TortureOptions {
  readonly seed: number;
  /** How long the faults last. */
  readonly minutes: number;
  /** Called with what happens, for whoever watches. */
  readonly say?: (line: string) => void;
}

/**
 * Runs the real system (processes from the build, Postgres and RabbitMQ of its own, two simulated chains) under seeded faults, lets it
 * recover, and judges it.
 * @returns what happened, what was found wrong, and why the run doesn't count, if so.
 * @throws Error when the services can't be started.
 */
export async function torture({ seed, minutes, say = () => {} }: TortureOptions): Promise<TortureReport> {
  const world = await World.start(seed, minutes);
  const prefix = `torture-${randomUUID()}`;
  const system = await System.create(world.postgresUrl, world.rabbit.url, {
    ...ENVIRONMENT,
    QUEUE_PREFIX: prefix,
  });
  const crew = new Crew(system, world);
  const audience = new Audience(crew, seed);
  const watch = new Watch(system.databaseUrl, world, crew);
  try {
    await crew.start();
    audience.start();
    watch.start();
    await until('the first events', () => audience.listeners[0]!.subscriber.events.size > 0);
    say(`seed ${seed}: the system runs; ${minutes} min of faults begin`);
    const run = new Run(world, crew, audience, watch, prefix, say);
    await run.attackAll(scheduleOf(seed, minutes), minutes);
    say('the faults have stopped');
    const calm = performance.now();
    await world.mend();
    await crew.complete();
    const names = allQueues.map((queue) => queueName(prefix, queue));
    if (await world.mendQueues(names)) say('the broker had lost queues: it was restarted, they were deleted');
    await audience.settle();
    const judge = new Judge(world, system, prefix);
    // the chains go on, with reorgs; in vain: then the judge finds out what is wrong
    const recovered = async () => watch.recovered && (await judge.reorgsThatTouchedRows()) >= REORGS;
    await until('the tips to be stored', recovered, RECOVERY_PATIENCE_MS).catch(() => {});
    watch.stop();
    const findings = [...(await judge.judge(audience.listeners)), ...crew.deserters, ...run.failures];
    const report: TortureReport = {
      seed,
      minutes,
      findings,
      attacks: run.attacks,
      rpcFaults: run.rpcFaults,
      duringBackfill: run.duringBackfill,
      reorgsThatTouchedRows: await judge.reorgsThatTouchedRows(),
      resumedElsewhere: audience.resumedElsewhere,
      refusals: crew.refusals,
      rows: await judge.rows(),
      pages: run.pages,
      longestStandstillMs: watch.longestStandstillMs,
      longestStandstillTo: watch.longestStandstillTo,
      recoveries: watch.recoveries,
      memory: watch.memory,
      faultsFrom: run.from,
      faultsTo: run.to,
      calmMs: performance.now() - calm,
    };
    const missing = missingFor(report);
    if (findings.length) await tellLastWords(world, crew, say);
    return { ...report, missing };
  } catch (error) {
    await tellLastWords(world, crew, say);
    throw error;
  } finally {
    watch.stop();
    await audience.end();
    await system.stop().catch(() => {});
    await world.stop();
  }
}

async function tellLastWords(world: World, crew: Crew, say: (line: string) => void): Promise<void> {
  for (const { name, process } of crew.posts) say(`--- ${name}\n${process?.output().slice(-3_000)}`);
  say(`--- RabbitMQ\n${await world.rabbit.lastWords()}`);
}

/** The time of the faults. */
class Run {
  readonly attacks = new Map<string, number>();
  readonly failures: string[] = [];
  rpcFaults: ReadonlyMap<FaultKind, number> = new Map();
  duringBackfill = { attacks: 0, rpcFaults: 0 };
  pages = 0;
  from = 0;
  to = 0;

  constructor(
    private readonly world: World,
    private readonly crew: Crew,
    private readonly audience: Audience,
    private readonly watch: Watch,
    private readonly prefix: string,
    private readonly say: (line: string) => void,
  ) {}

  async attackAll(schedule: readonly Attack[], minutes: number): Promise<void> {
    const attacker = new Attacker(this.world, this.crew, this.prefix);
    this.from = performance.now();
    const end = this.from + minutes * 60_000;
    const noting = setInterval(() => this.steerRpcFaults(leastOf(minutes)), 100);
    const pages = [0.3, 0.6].map((share) => lasting((end - this.from) * share).then(() => this.readPage()));
    const attacks = schedule.map(async (attack) => {
      await lasting(attack.atMs);
      await this.attack(attacker, attack);
    });
    await Promise.all([lasting(end - this.from), ...attacks, ...pages]);
    // on a slow machine there may have been too few requests that the rarer ones can befall
    const seldom = () => rpcFaultKinds.every((kind) => (this.rpcFaults.get(kind) ?? 0) >= leastOf(minutes));
    await until('the rarer RPC faults', seldom, SELDOM_PATIENCE_MS).catch(() => {});
    clearInterval(noting);
    this.to = performance.now();
  }

  private async attack(attacker: Attacker, attack: Attack): Promise<void> {
    const { kind } = attack;
    const early = this.watch.backfilling;
    this.say(`${this.seconds} s: ${kind}${early ? ' (during backfill)' : ''}`);
    try {
      await attacker.carryOut(attack);
    } catch (error) {
      this.failures.push(`the attack "${kind}" failed: ${(error as Error).message}`);
      return;
    }
    this.attacks.set(kind, (this.attacks.get(kind) ?? 0) + 1);
    if (early) this.duringBackfill.attacks++;
    this.watch.attackEnded(kind);
  }

  private async readPage(): Promise<void> {
    const rows = await this.audience.readPage();
    this.pages++;
    this.say(`${this.seconds} s: a page of ${rows} rows was read`);
  }

  private steerRpcFaults(least: number): void {
    const all = this.world.chains.flatMap(({ endpoints }) => endpoints.map(({ faults }) => faults));
    const sum = new Map<FaultKind, number>();
    for (const { counts } of all) for (const [kind, n] of counts) sum.set(kind, (sum.get(kind) ?? 0) + n);
    for (const faults of all) faults.rates = rpcFaultRates(sum, least);
    const more = total(sum) - total(this.rpcFaults);
    if (this.watch.backfilling) this.duringBackfill.rpcFaults += more;
    this.rpcFaults = sum;
  }

  private get seconds(): string {
    return ((performance.now() - this.from) / 1_000).toFixed(1);
  }
}
