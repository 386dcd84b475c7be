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
  private servedEvents: readonly EventDefinition[];
  private served: ServedApi;
  private isKnown = false;
  private readonly ending = new AbortController();
  private readonly outage: OutageLog;
  private looking: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly make: (events: readonly EventDefinition[]) => ServedApi,
    private readonly logger: Logger,
  ) {
    this.outage = new OutageLog(logger, 'looking for new events again');
    this.servedEvents = database.events.all;
    this.served = make(this.servedEvents);
  }

  /** Why clients can't ask for all events, in words, or null. */
  get problem(): string | null {
    return this.isKnown ? null : 'events without a folder are not known yet';
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
      this.isKnown = true;
      if (this.database.events.all !== this.servedEvents) this.renew();
      this.outage.ended();
    } catch (error) {
      this.outage.failed(`events without a folder can't be looked for: ${(error as Error).message}`);
    }
  }

  private renew(): void {
    const events = this.database.events.all;
    this.served = this.make(events);
    this.servedEvents = events;
    this.logger.info(`serving ${this.servedEvents.map((event) => event.name).join(', ')}`);
  }
}
