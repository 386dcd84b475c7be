import { readFileSync } from 'node:fs';
import { Interface, type InterfaceAbi, id, JsonRpcProvider, toQuantity } from 'ethers';
import solc from 'solc';
import { until } from './until.js';

/** The arguments of SocketBridge; addresses and bytes32 as hex. */
export interface BridgeValues {
  readonly amount: bigint;
  readonly token: string;
  readonly toChainId: bigint;
  readonly bridgeName: string;
  readonly sender: string;
  readonly receiver: string;
  readonly metadata: string;
}

/** Where a transaction was mined. */
export interface Mined {
  readonly txHash: string;
  readonly blockNumber: number;
  readonly blockHash: string;
}

/** What the deepest of the replaced blocks (block 0) or a later one of them holds after a reorg. */
export interface Replacement {
  readonly block: number;
  readonly bridges: readonly Partial<BridgeValues>[];
}

const SOCKET_BRIDGE_TOPIC = id('SocketBridge(uint256,address,uint256,bytes32,address,address,bytes32)');

/** What an event holds unless a test says otherwise. */
export const bridgeDefaults: BridgeValues = {
  amount: 1_000_000n,
  token: '0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',
  toChainId: 137n,
  bridgeName: id('Hop'),
  sender: '0x1111111111111111111111111111111111111111',
  receiver: '0x2222222222222222222222222222222222222222',
  metadata: `0x${'00'.repeat(31)}c4`,
};

/** Emitting 3000 events takes 15 million gas, half of anvil's block. */
const GAS = toQuantity(29_000_000);

let compiled: { abi: InterfaceAbi; bytecode: string } | undefined;

/** Compiles Gateway.sol and deploys it on an anvil. */
export async function deployGateway(rpcUrl: string): Promise<Gateway> {
  compiled ??= compile();
  // without its cache: a reorg makes other answers to the same questions
  const provider = new JsonRpcProvider(rpcUrl, undefined, { staticNetwork: true, cacheTimeout: -1 });
  const { chainId } = await provider.getNetwork();
  provider.pollingInterval = 20;
  const [account] = (await provider.send('eth_accounts', [])) as string[];
  const hash: string = await provider.send('eth_sendTransaction', [
    { from: account, data: compiled.bytecode, gas: GAS },
  ]);
  const receipt = await until('the receipt', () => provider.getTransactionReceipt(hash));
  if (!receipt.contractAddress) throw new Error(`the gateway could not be deployed on ${rpcUrl}`);
  const place = {
    address: receipt.contractAddress.toLowerCase(),
    account: account!,
    deployBlock: receipt.blockNumber,
  };
  return new Gateway(provider, new Interface(compiled.abi), Number(chainId), place);
}

/** A SocketGateway whose events the test decides. Each call that emits is one transaction, and with automining one block. */
export class Gateway {
  /** Lower-case hex. */
  readonly address: string;
  readonly deployBlock: number;

  constructor(
    readonly provider: JsonRpcProvider,
    private readonly abi: Interface,
    readonly chainId: number,
    private readonly place: { address: string; account: string; deployBlock: number },
  ) {
    this.address = place.address;
    this.deployBlock = place.deployBlock;
  }

  /** One SocketBridge for each argument, all in one transaction; what isn't given has a default. */
  emitBridge(...bridges: Partial<BridgeValues>[]): Promise<Mined> {
    return this.send(this.bridgeCall(bridges.length ? bridges : [{}]));
  }

  /** `count` (3000 at most) times SocketBridge in one transaction, with amount and metadata 0, 1, 2 … */
  emitMany(count: number): Promise<Mined> {
    return this.send(this.abi.encodeFunctionData('bridgeMany', [count]));
  }

  /** A log with SocketBridge's topic (or other ones, one or two) and any bytes as data. */
  emitRaw(data: string, topics: readonly string[] = [SOCKET_BRIDGE_TOPIC]): Promise<Mined> {
    return this.send(this.abi.encodeFunctionData('rawLog', [topics, data]));
  }

  /** Another event of the same contract. */
  emitOther(): Promise<Mined> {
    return this.send(this.abi.encodeFunctionData('otherEvent', [7n]));
  }

  /** Adds empty blocks; resolves with the new head. */
  async mine(blocks = 1): Promise<number> {
    await this.provider.send('anvil_mine', [toQuantity(blocks)]);
    return this.head();
  }

  head(): Promise<number> {
    return this.provider.getBlockNumber();
  }

  /** Replaces the last `depth` blocks by as many others; their transactions are gone, but for what `replacements` puts there. */
  async reorg(depth: number, replacements: readonly Replacement[] = []): Promise<void> {
    const transactions = replacements.map(({ block, bridges }) => [
      this.transaction(this.bridgeCall(bridges)),
      block,
    ]);
    // by position: the object form of the parameters fails in anvil 1.7
    await this.provider.send('anvil_reorg', [depth, transactions]);
  }

  /** Ends the connection, not the chain. */
  close(): void {
    this.provider.destroy();
  }

  private bridgeCall(bridges: readonly Partial<BridgeValues>[]): string {
    return this.abi.encodeFunctionData('bridge', [
      bridges.map((bridge) => ({ ...bridgeDefaults, ...bridge })),
    ]);
  }

  private transaction(data: string) {
    return { from: this.place.account, to: this.address, data, gas: GAS };
  }

  /** The node chooses the nonce: ethers' NonceManager would keep its own through a reorg, and the next transaction would hang. */
  private async send(data: string): Promise<Mined> {
    const txHash: string = await this.provider.send('eth_sendTransaction', [this.transaction(data)]);
    // not waitForTransaction: under load it takes the block that mined it for an old one and waits for the next, which never comes
    const receipt = await until('the receipt', () => this.provider.getTransactionReceipt(txHash));
    if (receipt.status !== 1) throw new Error(`transaction ${txHash} failed: too many events for one block?`);
    return { txHash, blockNumber: receipt.blockNumber, blockHash: receipt.blockHash };
  }
}

function compile(): { abi: InterfaceAbi; bytecode: string } {
  const content = readFileSync(new URL('./Gateway.sol', import.meta.url), 'utf8');
  const outputSelection = { '*': { '*': ['abi', 'evm.bytecode.object'] } };
  const settings = { optimizer: { enabled: true }, outputSelection };
  const input = { language: 'Solidity', sources: { 'Gateway.sol': { content } }, settings };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as {
    errors?: { severity: string; formattedMessage: string }[];
    contracts?: { 'Gateway.sol': { Gateway: { abi: InterfaceAbi; evm: { bytecode: { object: string } } } } };
  };
  const errors = output.errors?.filter((error) => error.severity === 'error') ?? [];
  if (!output.contracts || errors.length)
    throw new Error(errors.map((error) => error.formattedMessage).join('\n'));
  const { abi, evm } = output.contracts['Gateway.sol'].Gateway;
  return { abi, bytecode: `0x${evm.bytecode.object}` };
}
