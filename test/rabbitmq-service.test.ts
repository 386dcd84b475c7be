import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { provideRabbitMq } from './services/rabbitmq.js';
import { freePort } from './services/rabbitmq-node.js';

describe('the broker of the tests', () => {
  it('is refused at once, without its password, when nobody answers at RABBITMQ_URL', async () => {
    const RABBITMQ_URL = `amqp://user:topsecret@127.0.0.1:${await freePort()}`;
    const refusal = provideRabbitMq({ RABBITMQ_URL });
    await expect(refusal).rejects.toThrow(/RABBITMQ_URL.*127\.0\.0\.1:\d+.*ECONNREFUSED/s);
    await expect(refusal).rejects.not.toThrow(/topsecret/);
  });

  it('is refused in seconds when something else than a broker answers at RABBITMQ_URL', async () => {
    const silent = createServer((socket) => void socket.on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    await expect(provideRabbitMq({ RABBITMQ_URL: `amqp://127.0.0.1:${port}` })).rejects.toThrow(
      /no broker can be used/,
    );
    silent.close();
  });

  it('is found only by the way that TEST_RABBITMQ allows', async () => {
    await expect(provideRabbitMq({ TEST_RABBITMQ: 'kubernetes' })).rejects.toThrow(
      /TEST_RABBITMQ must be one of machine, docker, package; "kubernetes" is not/,
    );
  });
});
