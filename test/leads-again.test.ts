import { afterEach, expect, inject, test } from 'vitest';
import { BuiltChain, buildChain } from './services/built-chain.js';
import { FollowedChain } from './services/followed-chain.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('who led before and leads again reports no head until it sees one: what another leader saw since stays', async () => {
  const chain = new BuiltChain(buildChain(30), 77, 20);
  const followed = await FollowedChain.start(inject('postgresUrl'), { chain });
  closing.push(() => followed.close());
  const sql = (text: string) => query<Record<string, string>>(followed.databaseUrl, text);
  const head = async () => (await sql('select head_block from chain'))[0]!.head_block;
  await until('the first report', async () => (await head()) === '30');

  await sql(
    "update chain_lane set term = term + 1, holder = 'another', expires_at = clock_timestamp() + interval '1 hour'",
  );
  await until('the end of its term', () => followed.log.some((line) => line.includes('standing by')));
  await sql('update chain set head_block = 90');
  await followed.closeEndpoint(0);
  await sql("update chain_lane set expires_at = '-infinity'");
  await until('a report without an endpoint', async () => (await followed.state()).state === 'unreachable');
  expect(await head()).toBe('90');
});
