import amqp from 'amqplib';
import { allQueues } from '#libs/broker/broker.js';
import { queueName } from '#libs/broker/names.js';
import { until } from '../services/until.js';
import { Courier, type Mischief } from './courier.js';
import type { Crew } from './crew.js';
import type { Attack, AttackKind } from './schedule.js';
import { lasting, type Role, type TorturedChain, type World } from './world.js';

/** How long an attack may wait for its moment: others take broker and queues away meanwhile. */
const PATIENCE_MS = 180_000;
/** The deepest reorg; finality is 20 blocks deep. */
const DEEPEST = 15;

/** Does what the schedule says. */
export class Attacker {
  constructor(
    private readonly world: World,
    private readonly crew: Crew,
    private readonly prefix: string,
  ) {}

  /** Carries an attack out; resolves when it is over. @throws Error when it could not be done. */
  async carryOut({ kind, draw }: Attack): Promise<void> {
    const ms = (from: number, to: number) => from + draw(to - from);
    const [role, deed] = kind.split(' ') as [Role, string];
    if (deed === 'killed') return this.doTo(role, draw, (post) => post.replace(ms(100, 3_000)));
    // longer than a lease (10 s), and shorter
    if (deed === 'frozen') return this.doTo(role, draw, (post) => post.freeze(ms(1_000, 14_000)));
    if (kind.startsWith('reorg')) return this.reorg(kind, draw);
    const others: Partial<Record<AttackKind, () => Promise<void>>> = {
      'broker crashed': () => this.world.crashBroker(ms(100, 4_000)),
      'postgres crashed': () => this.world.crashPostgres(ms(100, 4_000)),
      'queues purged': () => this.onQueues('purged', (channel, queue) => channel.purgeQueue(queue)),
      'queues deleted': async () => {
        await this.onQueues('deleted', (channel, queue) => channel.deleteQueue(queue));
        this.world.deletedQueues();
      },
      'broker connections cut': () => this.cut('broker', draw, ms(50, 2_000)),
      'postgres connections cut': () => this.cut('database', draw, ms(50, 2_000)),
      'connections held up': () => this.holdUp(draw, ms(1_000, 8_000)),
    };
    const other = others[kind];
    if (other) return other();
    return this.deliver(kind.split(' ')[1] as Mischief, draw);
  }

  private async doTo(
    role: Role,
    draw: (n: number) => number,
    deed: (post: Crew['posts'][number]) => Promise<void>,
  ): Promise<void> {
    const post = await this.crew.take(role, draw);
    post.busy = true;
    try {
      await deed(post);
    } finally {
      post.busy = false;
    }
  }

  private async reorg(kind: AttackKind, draw: (n: number) => number): Promise<void> {
    const tortured = this.world.chains[draw(this.world.chains.length)]!;
    const { chain } = tortured;
    await until('blocks above finality', () => chain.head > chain.finalized + 2);
    const depth = 2 + draw(Math.min(DEEPEST, chain.head - chain.finalized - 1));
    if (kind === 'reorg to a longer branch') chain.reorg({ depth, newHead: chain.head + 1 + draw(3) });
    else if (kind === 'reorg to an equal height') chain.reorg({ depth });
    else if (kind === 'reorg to a shorter branch')
      chain.reorg({ depth, newHead: chain.head - 1 - draw(depth - 1) });
    else await this.goBack(tortured, depth, draw);
  }

  /** There and back again: the blocks that come back have their old hashes. */
  private async goBack({ chain }: TorturedChain, depth: number, draw: (n: number) => number): Promise<void> {
    const old = chain.branch();
    chain.reorg({ depth });
    await lasting(100 + draw(1_500));
    // finality may have passed the fork meanwhile: then there is no way back
    if (chain.head <= old.head + 3) chain.returnTo(old);
  }

  /** Tried again: a queue that was deleted isn't there until a process declares it. */
  private async onQueues(
    done: string,
    deed: (channel: amqp.Channel, queue: string) => Promise<unknown>,
  ): Promise<void> {
    const once = async () => {
      const connection = await amqp.connect(this.world.rabbit.url, { timeout: 5_000 });
      connection.on('error', () => {});
      try {
        const channel = await connection.createChannel();
        channel.on('error', () => {});
        for (const queue of allQueues) await deed(channel, queueName(this.prefix, queue));
        return true;
      } finally {
        await connection.close().catch(() => {});
      }
    };
    await until(`the queues to be ${done}`, () => this.world.withBroker(once), PATIENCE_MS);
  }

  private async cut(what: 'broker' | 'database', draw: (n: number) => number, ms: number): Promise<void> {
    const wires = Object.values(this.world.wires).map((wire) => wire[what]);
    const wire = wires[draw(wires.length)]!;
    await wire.cut();
    await lasting(ms);
    await wire.mend();
  }

  private async holdUp(draw: (n: number) => number, ms: number): Promise<void> {
    const wires = Object.values(this.world.wires).flatMap(({ broker, database }) => [broker, database]);
    const wire = wires[draw(wires.length)]!;
    wire.hold();
    await lasting(ms);
    await wire.mend();
  }

  /** Tried again until it got hold of messages: there are moments when none are under way. */
  private async deliver(mischief: Mischief, draw: (n: number) => number): Promise<void> {
    const courier = new Courier(this.world.rabbit.url, this.prefix, this.world.wires.worker.broker);
    const run = () => this.world.withBroker(() => courier.run(mischief, draw));
    await until(`deliveries to be ${mischief}`, run, PATIENCE_MS);
  }
}
