import type { ColumnValue } from '../column.js';

/** EIP-155 ids by the LayerZero v1 ids that Stargate's routes emit in their stead. */
const eip155OfLayerZero: ReadonlyMap<bigint, bigint> = new Map([
  [101n, 1n],
  [102n, 56n],
  [106n, 43114n],
  [109n, 137n],
  [110n, 42161n],
  [111n, 10n],
  [112n, 250n],
  [151n, 1088n],
  [177n, 2222n],
  [181n, 5000n],
  [183n, 59144n],
  [184n, 8453n],
]);

/**
 * EIP-155 id of the chain that the tokens go to. LayerZero ids are read only where Stargate wrote them: other bridges mean
 * the chains whose EIP-155 ids these numbers are, too (109 is Shibarium).
 */
export function destinationChain({ toChainId, bridge }: Readonly<Record<string, ColumnValue>>): bigint {
  const id = toChainId as bigint;
  return bridge === 'Stargate' ? (eip155OfLayerZero.get(id) ?? id) : id;
}
