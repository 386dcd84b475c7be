/** The protocol's rules (DESIGN §3.1–3.4). Each can be switched off, to see that the checks notice. */
export const RULES = {
  forkDrop:
    'a jump drops from the fork point on; without: from finality on, so that a dead branch below stays',
  jumpFinal: 'a jump restarts the segment with the final block itself; without: with the block above it',
  gapFinality:
    '(only without jumpFinal) finality(N) is also taken where N is not stored and the block above, if any, is its child',
  floor:
    'an endpoint without our block at recorded finality is not listened to; no fork point lies below it; a worker refuses an advance that reaches below it',
  monotone: 'finality(N) with N at or below the recorded finality does nothing',
  covered:
    'what is stated begins at the lowest block above finality that a source of the leader does not cover, at most at the fork point',
  dropAll: 'dropped heights leave the coverage of every source of the chain, not only of the stated ones',
  link: 'a worker refuses an advance whose first block is no child of the stored block below it',
  holder: 'a leader takes over from itself only while the term is its own; else it stands by',
  backoff: 'patience before taking over from itself doubles until a statement is applied',
  byHash: 'a drop removes rows of the dropped hashes; without: rows of the dropped heights',
  finalWins: 'history moves a row that another block holds',
  liveYields: 'news never move a row that another block holds (the claim is kept aside)',
  equalLocks: 'history locks a row also where it finds it equal',
  pause: 'a lower head that agrees with us is a pause, also when something below it must be stated again',
  asOf: 'finality as of a position, not the current one',
  untouched: 'an equal row is not touched',
  revision: 'a row with revision > 0 that does not match is sent as a removal',
  order: 'seq must be the next one; without: any higher seq of the term is taken',
  keepRestated:
    'where the last stated block is stored already, what is stored above it stays: those are its descendants',
  recordedOnly:
    'history is planned up to recorded finality; without: up to the final block that an endpoint showed',
  lookTwice: 'before finality is said, blocks that are empty on a node’s word alone are asked for again',
  heirDoubts: 'a new leader takes stored blocks without rows for unproven',
  heirKnows:
    'a new leader knows of stored blocks with rows, and does not believe a node that says they have none',
  owed: 'a node that has no logs of a block by hash, after logs of it were seen by range, is not believed',
} as const;

export type Rule = keyof typeof RULES;

/** Which rules hold. */
export type Rules = Readonly<Record<Rule, boolean>>;

/** All rules but some. @throws Error when one of them is no rule. */
export function rulesWithout(off: readonly string[] = []): Rules {
  const unknown = off.filter((rule) => !(rule in RULES));
  if (unknown.length)
    throw new Error(`no rule ${unknown.join(', ')}; the rules: ${Object.keys(RULES).join(', ')}`);
  return Object.fromEntries(Object.keys(RULES).map((rule) => [rule, !off.includes(rule)])) as Rules;
}
