import { by, type InvariantMutants } from './mutant.js';

const anyCursor = by(
  'feed-resume',
  'a subscriber that comes back with any of its cursors, to any instance, gets every change once',
);

const together = by(
  'feed-shared',
  'subscribers that share a reader, each at its own pace, get what one alone would get',
);
const pruned = by(
  'feed-retention',
  'after pruning, whoever is not behind it gets every change, and finality as of each position',
);

export const feed: InvariantMutants = {
  invariant: 'I5',
  mutants: [
    {
      name: 'looks only when the doorbell rings',
      file: 'apps/api/feed/commit-feed.ts',
      search: 'this.timer = setInterval(() => this.look(), LOOK_MS);',
      replace: 'this.timer = setInterval(() => this.look(), LOOK_MS * 1_000);',
      killers: [by('feed-delivery', 'a change is delivered when the doorbell is lost')],
    },
    {
      name: 'resumes one position too far',
      file: 'libs/database/feed-log.ts',
      search: 'where position > ${position} order by position limit ${limit}',
      replace: 'where position > ${position + 1} order by position limit ${limit}',
      killers: [anyCursor],
    },
    {
      name: 'a cursor within a position counts as behind it',
      file: 'apps/api/feed/changes-reader.ts',
      search: 'this.place = here;',
      replace: 'this.place = { position: entry.position, key: null };',
      killers: [anyCursor],
    },
    {
      name: 'repeats the last row after a resume within a position',
      file: 'libs/database/feed-log.ts',
      search: "after ? sql`and ${keyBound('>', after)}`",
      replace: "after ? sql`and ${keyBound('>', [after[0], after[1], after[2] - 1, after[3]])}`",
      killers: [anyCursor],
    },
    {
      name: "judges finality by today's value",
      file: 'libs/database/feed-log.ts',
      search: "kind = 'finality' and position <= ${position}",
      replace: "kind = 'finality' and ${position} > 0",
      killers: [anyCursor],
    },
    {
      name: 'tells, when finality moves, rows that were touched later',
      file: 'libs/database/feed-log.ts',
      search: '= ${event.name} and f.position > ${entry.position})',
      replace: '= ${event.name} and f.position > ${entry.position + 1_000})',
      killers: [anyCursor],
    },
    {
      name: 'tells no removal of a row that no longer matches',
      file: 'apps/api/feed/changes-reader.ts',
      search: '(row.revision as number) > 0 ?',
      replace: '(row.revision as number) > 1_000 ?',
      killers: [anyCursor],
    },
    {
      name: 'takes shared batches wherever it stands',
      file: 'apps/api/feed/changes.ts',
      search: 'if (comparePlaces(from, own.place) === 0) {',
      replace: 'if (comparePlaces(from, own.place) !== null) {',
      killers: [together],
    },
    {
      name: 'prunes finality that later entries are judged by',
      file: 'libs/database/prune-feed.ts',
      search: "and later.kind = 'finality'",
      replace: "and later.kind <> ''",
      killers: [pruned],
    },
    {
      name: 'goes on over a hole in the commit log',
      file: 'apps/api/feed/commit-feed.ts',
      search: 'if (!whole.length && position < this.head) throw new PlaceExpired(position);',
      replace: 'if (!whole.length && position < this.head) return entries.map(unkept);',
      killers: [
        by('feed-retention', 'a subscriber that falls behind the retention while it replays is told'),
      ],
    },
    {
      name: 'takes the position before the rows are committed',
      file: 'libs/database/store-history.ts',
      search: 'const position = await appendToCommitLog(tx, entries);',
      replace: 'const position = await appendToCommitLog(database.statements, entries);',
      killers: [by('storing-together', 'a position is never seen before the rows that it tells of')],
    },
    {
      name: 'takes a position for nothing',
      file: 'libs/database/store-history.ts',
      search: '    if (rowsAdded)\n',
      replace: '    if (rowsAdded >= 0)\n',
      killers: [
        by('news-rules', 'history stored twice stores nothing twice, and a changed content is never dropped'),
      ],
    },
    {
      name: 'a touch of a row leaves it at its old position',
      file: 'libs/database/event-rows.ts',
      search: 'removed = false, revision = t.revision + 1, write_id = excluded.write_id',
      replace: 'removed = false, revision = t.revision + 1, write_id = t.write_id',
      killers: [anyCursor],
    },
    {
      name: 'reads a page and its `asOf` at two moments',
      file: 'apps/api/reads/event-reads.ts',
      search: 'const { position, epoch } = await feedHead(tx);',
      replace: 'const { position, epoch } = await feedHead(this.parts.database.statements);',
      killers: [by('feed-delivery', 'a page and its `asOf` are of one moment, whatever is stored between')],
    },
    {
      name: 'an EventSource that comes back begins anew',
      file: 'apps/api/rest/event-stream.ts',
      search: '...(last && { since: last })',
      replace: '...(last && {})',
      killers: [
        by(
          'rest-stream',
          'an EventSource whose server is restarted goes on where it was: nothing is lost, nothing told twice',
        ),
      ],
    },
    {
      name: 'an export that broke off looks whole',
      file: 'apps/api/rest/rest.ts',
      search: 'if (call.response.headersSent) call.response.destroy();',
      replace: 'if (call.response.headersSent) call.response.end();',
      killers: [by('rest-export', 'an export whose database goes away breaks off: it never looks whole')],
    },
  ],
};
