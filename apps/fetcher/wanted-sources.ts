import type { StatedSource } from '#libs/broker/messages.js';
import type { ChainClient } from '#libs/chain/chain-client.js';
import type { FinalityRule } from '#libs/chain/endpoint.js';
import type { ChainConfig } from '#libs/config/chain-config.js';
import type { WantedSource } from '#libs/database/ledger.js';

/**
 * The sources with their start blocks; `latest` is the final block now, unless the ledger knows a start already.
 * @throws RpcUnavailable, WrongChain
 */
export async function wantedSources(
  sources: readonly StatedSource[],
  startBlock: ChainConfig['startBlock'],
  client: ChainClient,
  rule: FinalityRule,
): Promise<WantedSource[]> {
  if (startBlock !== 'latest') return sources.map((source) => ({ ...source, startBlock }));
  const finalBlock = await finalBlockNow(client, rule);
  return sources.map((source) => ({ ...source, startBlock: finalBlock, keepsStart: true }));
}

/** The height is kept for ever: it must not be that of another chain. */
function finalBlockNow(client: ChainClient, rule: FinalityRule): Promise<number> {
  return client.use(async (endpoint) => {
    const { head, finalized } = await endpoint.observe([], rule);
    // by depth it is counted from the head
    await endpoint.assertOnChain((rule.kind === 'tag' && finalized.header) || head);
    return finalized.number;
  });
}
