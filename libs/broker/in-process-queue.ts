import { BrokerUnavailable } from './broker.js';
import { DELAY_MS, DELIVERY_LIMIT, type Handout, PASSED_ON_AT_MOST_MS, QUEUE_MAX_BYTES } from './delivery.js';

/** One message in a queue. */
interface Entry {
  /** Place in the queue's history: what goes back goes back to its place. */
  readonly place: number;
  readonly body: Buffer;
  deliveries: number;
  /** When it was first passed on (ms of the monotonic clock); null: never. */
  readonly passedOnAt: number | null;
}

/** A consumer in line; new each time that it joins, so that what it held before can't be settled any more. */
interface Taker {
  readonly prefetch: number;
  readonly handout: Handout;
  readonly unsettled: Set<Entry>;
}

/** A queue in memory with a broker's manners: order, prefetch, redelivery, single active consumer, delivery limit, delay. */
export class InProcessQueue {
  readonly name: string;
  readonly #singleActiveConsumer: boolean;
  readonly #deadLetter: (queue: string, reason: string, body: Buffer) => void;
  /** In order of `place`. */
  #waiting: Entry[] = [];
  #takers: Taker[] = [];
  readonly #delayed = new Set<NodeJS.Timeout>();
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

  /** Messages that were passed on and are not back yet. */
  get delayed(): number {
    return this.#delayed.size;
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
    this.#append(body, null);
  }

  /** Puts a consumer at the end of the line. */
  join(prefetch: number, handout: Handout): void {
    this.#takers.push({ prefetch, handout, unsettled: new Set() });
    this.#schedule();
  }

  /** Forgets what is delayed. */
  close(): void {
    for (const timer of this.#delayed) clearTimeout(timer);
    this.#delayed.clear();
  }

  /** Takes a consumer away; what it hasn't settled goes back to its place, at the front. */
  leave(handout: Handout): void {
    const taker = this.#takers.find((one) => one.handout === handout);
    if (!taker) return;
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

  #append(body: Buffer, passedOnAt: number | null): void {
    this.#waiting.push({ place: ++this.#lastPlace, body, deliveries: 0, passedOnAt });
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
  #nextTaker(): Taker | undefined {
    const candidates = this.#singleActiveConsumer ? this.#takers.slice(0, 1) : this.#takers;
    const taker = candidates.find(({ unsettled, prefetch }) => unsettled.size < prefetch);
    if (taker && !this.#singleActiveConsumer) {
      this.#takers = [...this.#takers.filter((other) => other !== taker), taker];
    }
    return taker;
  }

  #hand(entry: Entry, taker: Taker): void {
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
      passOn: async () => {
        if (!taker.unsettled.has(entry)) return;
        if (this.#singleActiveConsumer) this.#toTheEnd(taker);
        else if (settle()) this.#delay(entry);
      },
      stepAside: () => taker.handout.whenEmpty(() => this.#toTheEnd(taker)),
    });
  }

  #delay({ body, passedOnAt }: Entry): void {
    const since = passedOnAt ?? performance.now();
    if (performance.now() - since > PASSED_ON_AT_MOST_MS) return;
    this.#bytes += body.length;
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      this.#append(body, since);
    }, DELAY_MS);
    this.#delayed.add(timer);
  }

  /** Puts a consumer behind the others, if it is still in line. */
  #toTheEnd(taker: Taker): void {
    if (!this.#takers.includes(taker)) return;
    this.leave(taker.handout);
    taker.handout.drop();
    this.join(taker.prefetch, taker.handout);
  }

  #forget(entry: Entry): void {
    this.#bytes -= entry.body.length;
  }
}
