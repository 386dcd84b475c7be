import type { GraphQLSchema } from 'graphql';
import type { Database } from '#libs/database/database.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { pause } from '#libs/telemetry/run-process.js';
import type { RestHandler } from './rest/rest.js';

/** How often the database is asked whether it has other events without a folder. */
const LOOK_MS = 2_000;

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

  get current(): ServedApi {
    return this.served;
  }

  /** Looks for other events from now on. */
  start(): void {
    this.looking = this.look();
  }

  async stop(): Promise<void> {
    this.ending.abort();
    await this.looking;
  }

  private async look(): Promise<void> {
    const { signal } = this.ending;
    for (; !signal.aborted; await pause(LOOK_MS, signal)) {
      try {
        await this.database.events.load(this.database.statements);
        if (this.database.events.all !== this.servedEvents) this.renew();
        this.outage.ended();
      } catch (error) {
        this.outage.failed(`events without a folder can't be looked for: ${(error as Error).message}`);
      }
    }
  }

  private renew(): void {
    this.servedEvents = this.database.events.all;
    this.served = this.make(this.servedEvents);
    this.logger.info(`serving ${this.servedEvents.map((event) => event.name).join(', ')}`);
  }
}
