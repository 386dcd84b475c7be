import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres.js';
import { provideRabbitMq } from './rabbitmq.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A Postgres as a user who may create databases: `createDatabase(inject('postgresUrl'))`. */
    postgresUrl: string;
    /** A RabbitMQ; tests keep apart by queue prefix. */
    rabbitmqUrl: string;
  }
}

/** Starts Postgres and RabbitMQ once for the whole run. What is killed before its teardown takes both with it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = await Promise.allSettled([startPostgres(), provideRabbitMq()]);
  const stop = async () => {
    const services = started.flatMap((service) => (service.status === 'fulfilled' ? [service.value] : []));
    await Promise.all(services.map((service) => service.stop()));
  };
  const [postgres, rabbitmq] = started;
  if (postgres.status === 'fulfilled' && rabbitmq.status === 'fulfilled') {
    project.provide('postgresUrl', postgres.value.url);
    project.provide('rabbitmqUrl', rabbitmq.value.url);
    return stop;
  }
  await stop();
  const reasons = started.flatMap((service) =>
    service.status === 'rejected' ? [(service.reason as Error).message] : [],
  );
  throw new Error(reasons.join('\n\n'));
}
