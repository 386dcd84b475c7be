import { BrokerUnavailable } from './broker.js';
import { DELIVERY_LIMIT, type Handout, QUEUE_MAX_BYTES } from './delivery.js';

/** One message in a queue. */
interface Entry {
  /** Place in the queue's history: what goes back goes back to its place. */
  readonly place: number;
  readonly body: Buffer;
  deliveries: number;
}

/** A consumer of an in-process queue. */
export interface InProcessTaker {
  readonly prefetch: number;
  readonly handout: Handout;
  readonly unsettled: Set<Entry>;
}

/** A queue in memory with a broker's manners: order, prefetch, redelivery, single active consumer, delivery limit. */
export class InProcessQueue {
  readonly name: string;
  readonly #singleActiveConsumer: boolean;
  readonly #deadLetter: (queue: string, reason: string, body: Buffer) => void;
  /** In order of `place`. */
  #waiting: Entry[] = [];
  #takers: InProcessTaker[] = [];
  #lastPlace = 0;
  #bytes = 0;
  #scheduled = false;

  constructor(
    name: string,
    singleActiveConsumer: boolean,
    deadLetter: (queue: string, reason: string, body: Buffer) => void,
  ) {
    this.name = name;
    this.#singleActiveConsumer = singleActiveConsumer;
    this.#deadLetter = deadLetter;
  }

  /** Messages that wait, without those handed out. */
  get depth(): number {
    return this.#waiting.length;
  }

  get consumers(): number {
    return this.#takers.length;
  }

  /** @throws BrokerUnavailable when the queue is full. */
  add(body: Buffer): void {
    if (this.#bytes + body.length > QUEUE_MAX_BYTES) {
      throw new BrokerUnavailable(`${this.name} is full: ${this.#bytes} of ${QUEUE_MAX_BYTES} bytes`);
    }
    this.#bytes += body.length;
    this.#waiting.push({ place: ++this.#lastPlace, body, deliveries: 0 });
    this.#schedule();
  }

  join(prefetch: number, handout: Handout): InProcessTaker {
    const taker: InProcessTaker = { prefetch, handout, unsettled: new Set() };
    this.#takers.push(taker);
    this.#schedule();
    return taker;
  }

  /** Takes a consumer away; what it hasn't settled goes back to its place, at the front. */
  leave(taker: InProcessTaker): void {
    if (!this.#takers.includes(taker)) return;
    this.#takers = this.#takers.filter((other) => other !== taker);
    const back = [...taker.unsettled];
    taker.unsettled.clear();
    for (const entry of back.filter((e) => e.deliveries > DELIVERY_LIMIT)) {
      this.#forget(entry);
      this.#deadLetter(
        this.name,
        `handed out ${entry.deliveries} times without being acknowledged`,
        entry.body,
      );
    }
    const again = back.filter((e) => e.deliveries <= DELIVERY_LIMIT);
    this.#waiting = [...again, ...this.#waiting].sort((a, b) => a.place - b.place);
    this.#schedule();
  }

  /** Hands out in a turn of its own: never inside the caller of `publish`, `ack` or `consume`. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#handOut();
    });
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const taker = this.#nextTaker();
      if (!taker) return;
      this.#hand(this.#waiting.shift()!, taker);
    }
  }

  /** The next consumer with room; takers of a shared queue take turns. */
  #nextTaker(): InProcessTaker | undefined {
    const candidates = this.#singleActiveConsumer ? this.#takers.slice(0, 1) : this.#takers;
    const taker = candidates.find(({ unsettled, prefetch }) => unsettled.size < prefetch);
    if (taker && !this.#singleActiveConsumer) {
      this.#takers = [...this.#takers.filter((other) => other !== taker), taker];
    }
    return taker;
  }

  #hand(entry: Entry, taker: InProcessTaker): void {
    taker.unsettled.add(entry);
    const redelivered = entry.deliveries++ > 0;
    const settle = (): boolean => {
      const ours = taker.unsettled.delete(entry);
      if (ours) this.#forget(entry);
      this.#schedule();
      return ours;
    };
    taker.handout.take({
      body: entry.body,
      redelivered,
      ack: settle,
      reject: async (reason) => {
        if (settle()) this.#deadLetter(this.name, reason, entry.body);
      },
    });
  }

  #forget(entry: Entry): void {
    this.#bytes -= entry.body.length;
  }
}
