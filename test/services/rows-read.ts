import type { RunningApi } from '#apps/api/server.js';
import { Database } from '#libs/database/database.js';
import { startTestApi } from './api.js';
import { query } from './query.js';
import { until } from './until.js';

/**
 * How many rows and index entries of the events' table an API reads while `work` asks it. Nobody else may ask the database
 * meanwhile: what Postgres counts of a connection is surely told when that has ended.
 */
export async function rowsRead(
  databaseUrl: string,
  work: (api: RunningApi) => Promise<unknown>,
): Promise<number> {
  const before = await countersOf(databaseUrl);
  const database = Database.open(databaseUrl);
  const api = await startTestApi({ database });
  await work(api);
  await api.close();
  await database.close();
  return (await countersOf(databaseUrl)) - before;
}

async function countersOf(databaseUrl: string): Promise<number> {
  // one that the pool was still making when it was closed stays, and has asked nothing
  const others = `select count(*) as n from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' and query <> ''`;
  await until('the other connections to end', async () => {
    const [row] = await query<{ n: string }>(databaseUrl, others);
    return row!.n === '0';
  });
  const [row] = await query<{ n: string }>(
    databaseUrl,
    `select seq_tup_read + (select sum(idx_tup_read) from pg_stat_user_indexes where relname = t.relname) as n
     from pg_stat_user_tables t where relname = 'socket_bridge_event'`,
  );
  return Number(row!.n);
}
