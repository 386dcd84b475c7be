import { type BlockHeader, parseHeader } from './block-header.js';
import { MalformedValue, quantity, toQuantity } from './hex.js';
import type { RpcCall, RpcReply } from './json-rpc.js';
import type { Urgency } from './rate-limiter.js';
import { RpcError, type RpcErrorKind, wrongChainWords } from './rpc-error.js';
import type { RpcConnection } from './rpc-transport.js';

/** Reads what an endpoint answers: values of the right form, blocks of the right height. All methods throw RpcError. */
export class AnswerReader {
  constructor(private readonly connection: RpcConnection) {}

  /** The headers at some heights; a block that the endpoint doesn't have is `head_behind`. */
  async headersAt(numbers: readonly number[], urgency: Urgency = 'news'): Promise<BlockHeader[]> {
    const replies = await this.connection.send(numbers.map(blockCall), urgency);
    return numbers.map((number, i) => {
      const header = this.headerAt(replies[i]!, number);
      if (!header) throw this.error('head_behind', 'eth_getBlockByNumber', `doesn't have block ${number}`);
      return header;
    });
  }

  /** The header at a height, or null when the endpoint doesn't have it. */
  async headerOrNull(number: number): Promise<BlockHeader | null> {
    const [reply] = await this.connection.send([blockCall(number)]);
    return this.headerAt(reply!, number);
  }

  /** The block of an answer, or null. */
  header(reply: RpcReply): BlockHeader | null {
    return this.read('eth_getBlockByNumber', reply, parseHeader);
  }

  /** The block of an answer about a height, or null. */
  headerAt(reply: RpcReply, number: number): BlockHeader | null {
    const header = this.header(reply);
    if (header && header.number !== number) {
      throw this.error(
        'bad_data',
        'eth_getBlockByNumber',
        `answered block ${header.number} for block ${number}`,
      );
    }
    return header;
  }

  /** The chain id of an answer. */
  chainId(reply: RpcReply): number {
    return this.read('eth_chainId', reply, (result) => quantity(result, 'chain id'));
  }

  /** Makes sure that an answer is the id of this chain; undefined: any will do. */
  assertChain(reply: RpcReply, expected: number | undefined): void {
    const answered = this.chainId(reply);
    if (answered === (expected ?? answered)) return;
    throw this.error('wrong_chain', 'eth_chainId', wrongChainWords(expected!, answered));
  }

  /** The result of a call, parsed. */
  read<T>(method: string, reply: RpcReply, parse: (result: unknown) => T): T {
    if ('error' in reply) throw reply.error;
    try {
      return parse(reply.result);
    } catch (error) {
      if (error instanceof MalformedValue) throw this.error('bad_data', method, error.message);
      throw error;
    }
  }

  /** An error about what this endpoint answered. */
  error(kind: RpcErrorKind, method: string, message: string): RpcError {
    return new RpcError({ kind, host: this.connection.host, method, message });
  }
}

export const chainIdCall: RpcCall = { method: 'eth_chainId', params: [] };

/** The call for a block's header, by height or tag. */
export function blockCall(block: number | string): RpcCall {
  return {
    method: 'eth_getBlockByNumber',
    params: [typeof block === 'number' ? toQuantity(block) : block, false],
  };
}
