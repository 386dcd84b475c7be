import { Client, type QueryResultRow } from 'pg';

/** Asks a database by a connection of its own, past the product's code. */
export async function query<T extends QueryResultRow>(
  databaseUrl: string,
  statement: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  const client = new Client({ connectionString: databaseUrl });
  // a connection that dies rejects what was asked over it; an error that nobody hears would end the process
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<T>(statement, [...values])).rows;
  } finally {
    await client.end();
  }
}
