import { defineEvent } from '../event.js';

/** BungeeGateway (Bungee Auto), another contract than SocketGateway: a transmitter takes up a signed request. */
export const requestExtracted = defineEvent({
  name: 'RequestExtracted',
  signature:
    'event RequestExtracted(bytes32 indexed requestHash, uint8 implId, address transmitter, bytes execution)',
  description:
    "A transmitter took a user's signed request to BungeeGateway (Bungee Auto), and with it the tokens.",
  columns: {
    requestHash: { kind: 'bytes32', description: 'Hash of the signed request.', indexed: true },
    implId: {
      kind: 'safeInt',
      description: 'Number of the implementation that handled the request.',
    },
    transmitter: { kind: 'address', description: 'Who brought the request.', indexed: true },
    execution: { kind: 'bytes', description: 'What is to be executed, as the implementation encodes it.' },
  },
});
