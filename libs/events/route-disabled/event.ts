import { defineEvent } from '../event.js';

/** SocketGateway's owner: a route can't be called any more. */
export const routeDisabled = defineEvent({
  name: 'RouteDisabled',
  signature: 'event RouteDisabled(uint32 indexed routeId)',
  description: 'A route of SocketGateway (Socket / Bungee) was disabled.',
  columns: {
    routeId: {
      kind: 'safeInt',
      description: 'Number of the route, as `NewRouteAdded` told it.',
      indexed: true,
    },
  },
});
