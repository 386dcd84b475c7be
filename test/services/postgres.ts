import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, escapeIdentifier } from 'pg';
import { startEmbeddedPostgres } from '#apps/local/embedded-postgres.js';
import { whenOrphaned } from '#apps/local/owned-process.js';

/** A Postgres for a whole test run; each test makes a database of its own in it. */
export interface ProvidedPostgres {
  /** As a user who may create databases. */
  readonly url: string;
  stop(): Promise<void>;
}

/** The tests' data may be lost with the machine. */
const settings = { max_connections: '200', fsync: 'off', full_page_writes: 'off' };

/** TEST_DATABASE_URL if it is set, else an embedded server with its data in the system's temporary folder, removed at the end. */
export async function startPostgres(): Promise<ProvidedPostgres> {
  const url = process.env.TEST_DATABASE_URL;
  if (url) return { url, stop: async () => {} };
  const wanted = join(tmpdir(), `event-monitor-postgres-${randomUUID()}`);
  const server = await startEmbeddedPostgres({ dir: wanted, settings });
  const keep = whenOrphaned(removalOnceStopped(server.dir));
  return {
    url: server.url,
    async stop() {
      await server.stop('immediate');
      keep();
      for (const dir of [wanted, server.dir]) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The server removes its lock file last. */
function removalOnceStopped(dir: string): string {
  const waiting = `[ -e '${dir}/cluster/postmaster.pid' ] && [ $n -lt 150 ]`;
  return `n=0; while ${waiting}; do sleep 0.1; n=$((n+1)); done; rm -rf '${dir}'`;
}

/** Dropping a database waits for every session of the server; one that is blocked in writing to a client that hangs doesn't answer. */
const DROP_PATIENCE_MS = 30_000;

/**
 * Makes an empty database.
 * @param adminUrl a user who may create databases, in any database of the server.
 * @returns its URL, and `drop`, which also ends the sessions in it.
 */
export async function createDatabase(
  adminUrl: string,
  name = `test_${randomUUID().replaceAll('-', '')}`,
): Promise<{ url: string; drop(): Promise<void> }> {
  await administer(adminUrl, `create database ${escapeIdentifier(name)}`);
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return {
    url: url.href,
    // in vain while another test holds up a session of this server: then it goes with the server
    drop: () =>
      administer(adminUrl, `drop database if exists ${escapeIdentifier(name)} with (force)`, {
        statement_timeout: DROP_PATIENCE_MS,
      }).catch((error: Error) => console.warn(`database ${name} was not dropped: ${error.message}`)),
  };
}

async function administer(adminUrl: string, statement: string, settings: object = {}): Promise<void> {
  const client = new Client({ connectionString: adminUrl, ...settings });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
