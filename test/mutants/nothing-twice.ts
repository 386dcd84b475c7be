import { by, type InvariantMutants } from './mutant.js';

export const nothingTwice: InvariantMutants = {
  invariant: 'I2',
  mutants: [
    {
      name: 'touches equal rows',
      file: 'libs/database/event-rows.ts',
      search: 'where (t.removed or (${old}) is distinct from (${stated})) and ${mayTake}',
      replace: 'where (t.removed or (${old}) is distinct from (${stated}) or true) and ${mayTake}',
      killers: [
        by('news-rules', 'blocks stated again with the same content touch no row and take no position'),
        by('news-rules', 'history stored twice stores nothing twice, and a changed content is never dropped'),
      ],
    },
    {
      name: 'drops other content of the same key',
      file: 'libs/database/event-rows.ts',
      search: 'where (t.removed or (${old}) is distinct from (${stated})) and ${mayTake}',
      replace:
        'where (t.removed or (t.block_hash <> excluded.block_hash and (${old}) is distinct from (${stated}))) and ${mayTake}',
      killers: [
        by('news-rules', 'history stored twice stores nothing twice, and a changed content is never dropped'),
      ],
    },
    {
      name: 'history does nothing on conflict',
      file: 'libs/database/event-rows.ts',
      search: 'where (t.removed or (${old}) is distinct from (${stated})) and ${mayTake}',
      replace:
        "where (t.removed or (${old}) is distinct from (${stated})) and ${mayTake} and ${mode === 'news' ? sql`true` : sql`false`}",
      killers: [by('news-rules', 'history moves a row that another block holds: final wins')],
    },
    {
      name: 'reads before it inserts, and leaves equal rows without a lock',
      file: 'libs/database/event-rows.ts',
      search: '    order by chain_id, tx_hash, log_index\n    on conflict',
      replace: `    where not exists (select 1 from \${sql.table(event.table)} x where x.chain_id = stated.chain_id
      and x.tx_hash = stated.tx_hash and x.log_index = stated.log_index and x.block_hash = stated.block_hash and not x.removed)
    order by chain_id, tx_hash, log_index
    on conflict`,
      killers: [
        by(
          'storing-together',
          'history that states a block whose row a reorg is just removing waits for it, and the row is there in the end',
        ),
      ],
    },
  ],
};
