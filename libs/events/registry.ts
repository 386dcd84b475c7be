import type { EventDefinition } from './event.js';
import { newRouteAdded } from './new-route-added/event.js';
import { registered } from './registered.js';
import { requestExtracted } from './request-extracted/event.js';
import { routeDisabled } from './route-disabled/event.js';
import { socketBridge } from './socket-bridge/event.js';
import { socketFeesDeducted } from './socket-fees-deducted/event.js';
import { socketNonEvmDestBridge } from './socket-non-evm-dest-bridge/event.js';
import { socketNonEvmDestBridgeV2 } from './socket-non-evm-dest-bridge-v2/event.js';
import { socketSwapTokens } from './socket-swap-tokens/event.js';

/** Every event type that the system knows. A new one is a folder beside `socket-bridge` and a line here. */
export const events: readonly EventDefinition[] = registered([
  socketBridge,
  socketSwapTokens,
  socketNonEvmDestBridge,
  socketNonEvmDestBridgeV2,
  socketFeesDeducted,
  newRouteAdded,
  routeDisabled,
  requestExtracted,
]);

const byName = new Map(events.map((event) => [event.name, event]));

/** The event type of this name, or undefined when no folder declares it. */
export function eventByName(name: string): EventDefinition | undefined {
  return byName.get(name);
}
