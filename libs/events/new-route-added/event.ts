import { defineEvent } from '../event.js';

/** SocketGateway's owner: a contract becomes a route. */
export const newRouteAdded = defineEvent({
  name: 'NewRouteAdded',
  signature: 'event NewRouteAdded(uint32 indexed routeId, address indexed route)',
  description: 'SocketGateway (Socket / Bungee) got another route.',
  columns: {
    routeId: {
      kind: 'safeInt',
      description: 'Number of the route, by which calls of the gateway name it.',
      indexed: true,
    },
    route: { kind: 'address', description: 'Contract that the gateway delegates to.', indexed: true },
  },
});
