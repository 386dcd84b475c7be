import type { GraphQLSchema } from 'graphql';
import type { Database } from '#libs/database/database.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { pause } from '#libs/telemetry/run-process.js';
import type { RestHandler } from './rest/rest.js';

/** How often the database is asked whether it has other events without a folder. */
const LOOK_MS = 2_000;

/** Clients don't wait longer for it when a server starts. */
const FIRST_LOOK_MS = 5_000;

/** What clients can ask for, made from a set of events. */
export interface ServedApi {
  readonly schema: GraphQLSchema;
  readonly rest: RestHandler;
}

/**
 * What clients can ask for at the moment. Events without a folder come and go while the process runs: then it is made anew, and
 * requests that have begun go on with what they began with.
 */
export class ServedEvents {
  /** What `served` was made from, or was to be: it would turn out the same at a second try. */
  private tried: readonly EventDefinition[];
  private served: ServedApi;
  /** Why the last look found nothing out, in words, or null. */
  private lookProblem: string | null = 'events without a folder are not known yet';
  private readonly ending = new AbortController();
  private readonly outage: OutageLog;
  private looking: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly make: (events: readonly EventDefinition[]) => ServedApi,
    private readonly logger: Logger,
  ) {
    this.outage = new OutageLog(logger, 'looking for new events again');
    this.tried = database.events.all;
    this.served = this.madeOf(this.tried);
  }

  /**
   * Why nobody knows which events there are, in words, or null. One that can't be served is no such reason, and is logged: every API
   * would be taken out of service for it, and with it all other events.
   */
  get problem(): string | null {
    return this.lookProblem;
  }

  get current(): ServedApi {
    return this.served;
  }

  /** Looks for other events from now on. @returns when it has looked once: what clients ask for then is known, unless Postgres is away. */
  async start(): Promise<void> {
    const first = this.lookOnce();
    this.looking = this.lookOn(first);
    await Promise.race([first, pause(FIRST_LOOK_MS, this.ending.signal)]);
  }

  async stop(): Promise<void> {
    this.ending.abort();
    await this.looking;
  }

  private async lookOn(first: Promise<void>): Promise<void> {
    const { signal } = this.ending;
    for (let look = first; ; look = this.lookOnce()) {
      await look;
      await pause(LOOK_MS, signal);
      if (signal.aborted) return;
    }
  }

  private async lookOnce(): Promise<void> {
    try {
      await this.database.events.load(this.database.statements);
      if (this.database.events.all !== this.tried) this.renew();
      this.lookProblem = null;
      this.outage.ended();
    } catch (error) {
      this.lookProblem = `events without a folder can't be looked for: ${(error as Error).message}`;
      this.outage.failed(this.lookProblem);
    }
  }

  private renew(): void {
    this.tried = this.database.events.all;
    try {
      this.served = this.madeOf(this.tried);
    } catch (error) {
      this.logger.error(`events as of now can't be served: ${(error as Error).message}`);
    }
  }

  /** Made from these events, but for those without a folder that it can't be made with. @throws Error when leaving them out doesn't help. */
  private madeOf(events: readonly EventDefinition[]): ServedApi {
    const { api, misfits } = madeWithoutMisfits(this.make, events);
    for (const [{ name }, reason] of misfits) this.logger.error(`${name} is not served: ${reason}`);
    const served = events.filter((event) => !misfits.has(event));
    this.logger.info(`serving ${served.map((event) => event.name).join(', ')}`);
    return api;
  }
}

type Make<T> = (events: readonly EventDefinition[]) => T;
type Misfits = ReadonlyMap<EventDefinition, string>;

function madeWithoutMisfits<T>(
  make: Make<T>,
  events: readonly EventDefinition[],
): { api: T; misfits: Misfits } {
  try {
    return { api: make(events), misfits: new Map() };
  } catch {
    const withFolder = events.filter((event) => !event.sharesTable);
    const misfits = misfitsOf(
      (some) => make([...withFolder, ...some]),
      events.filter((event) => event.sharesTable),
    );
    return { api: make(events.filter((event) => !misfits.has(event))), misfits };
  }
}

/** The events that nothing can be made with, each with the reason; looked for by halves, since most of many can be made with. */
function misfitsOf(make: Make<unknown>, events: readonly EventDefinition[]): Misfits {
  if (!events.length) return new Map();
  try {
    make(events);
    return new Map();
  } catch (error) {
    const [one, ...others] = events;
    if (!others.length) return new Map([[one!, (error as Error).message]]);
    const middle = Math.ceil(events.length / 2);
    return new Map([...misfitsOf(make, events.slice(0, middle)), ...misfitsOf(make, events.slice(middle))]);
  }
}
