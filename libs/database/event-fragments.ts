import { sql } from 'kysely';
import { identityOf, nameOfFragment, otherNameOf, parseFragment } from '#libs/events/fragment.js';
import { events } from '#libs/events/registry.js';
import type { Database, SqlExecutor } from './database.js';

/** An event without a folder as a fetcher is told to follow it. */
export interface WantedFragment {
  /** Human-readable ABI fragment. */
  readonly fragment: string;
  /** The name that it must have here; null: the fragment's own, or one made from it where that stands for another event. */
  readonly name: string | null;
}

/** A fragment can't be followed in this database; the message says why and what to do. */
export class FragmentRefused extends Error {
  override readonly name = 'FragmentRefused';
}

interface Declared {
  readonly name: string;
  readonly fragment: string;
  readonly identity: string;
  readonly isAdopted: boolean;
}

/**
 * Makes events without a folder known to everybody who works with the database, and to its catalog. What was declared before keeps
 * its name, on all chains.
 * @returns their names, in order.
 * @throws FragmentRefused when the name is another event's, or the event has another name or other names of arguments.
 */
export async function declareFragments(
  database: Database,
  wanted: readonly WantedFragment[],
): Promise<string[]> {
  if (!wanted.length) return [];
  const names = await database.transaction(async (tx) => {
    // readers go on; of two fetchers that declare one event the second finds it
    await sql`lock table event_fragment in share row exclusive mode`.execute(tx);
    const known = { declared: await readDeclared(tx), ofOtherBuilds: await readOtherBuilds(tx) };
    const found: string[] = [];
    for (const one of wanted) found.push(await declare(tx, known, one));
    return found;
  });
  await database.events.load(database.statements);
  return names;
}

async function readDeclared(tx: SqlExecutor): Promise<Declared[]> {
  const { rows } = await sql<{ name: string; fragment: string; is_adopted: boolean }>`
    select name, fragment, adopted_at is not null as is_adopted from event_fragment`.execute(tx);
  return rows.map(({ name, fragment, is_adopted }) => {
    return { name, fragment, identity: identityOf(parseFragment(fragment)), isAdopted: is_adopted };
  });
}

/**
 * Names of followed events that neither this build's folders nor fragments declare: their rows lie in tables that it doesn't know. Under
 * such a name a fragment would take over what the ledger says of those: "all is stored".
 */
async function readOtherBuilds(tx: SqlExecutor): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct event as name from source where event <> all(${events.map(({ name }) => name)}::text[])
      and not exists (select 1 from event_fragment f where event in (f.name, f.adopted_as))`.execute(tx);
  return rows.map(({ name }) => name);
}

/** Whose names are taken. */
interface KnownNames {
  readonly declared: Declared[];
  readonly ofOtherBuilds: readonly string[];
}

async function declare(tx: SqlExecutor, names: KnownNames, wanted: WantedFragment): Promise<string> {
  const { declared } = names;
  const fragment = parseFragment(wanted.fragment);
  const text = fragment.format('full');
  const identity = identityOf(fragment);
  const known = declared.find((one) => one.identity === identity);
  if (known) {
    assertSame(known, wanted.name, text);
    return known.name;
  }
  const own = wanted.name ?? nameOfFragment(fragment);
  const holder = holderOf(own, names);
  if (holder && wanted.name !== null)
    throw new FragmentRefused(`${own} is the name of another event, ${holder}: give "${text}" another name`);
  const name = holder ? otherNameOf(own, fragment) : own;
  await sql`insert into event_fragment (name, fragment) values (${name}, ${text})`.execute(tx);
  declared.push({ name, fragment: text, identity, isAdopted: false });
  return name;
}

function assertSame(known: Declared, name: string | null, text: string): void {
  if (known.isAdopted)
    throw new FragmentRefused(
      `"${text}" has a table of its own by now, as ${known.name}, which this build doesn't know: run the newer build`,
    );
  if (name !== null && name !== known.name)
    throw new FragmentRefused(
      `"${text}" is followed as ${known.name} already: it can't be ${name}, too (leave its name out)`,
    );
  if (known.fragment !== text)
    throw new FragmentRefused(
      `"${text}" is followed already, with other names of arguments: write it as "${known.fragment}"`,
    );
}

/** The event that has this name, however its letters are written: GraphQL's and REST's names don't tell them apart. */
function holderOf(name: string, { declared, ofOtherBuilds }: KnownNames): string | null {
  const same = (other: string) => other.toLowerCase() === name.toLowerCase();
  const typed = events.find((event) => same(event.name));
  if (typed) return typed.signature;
  if (ofOtherBuilds.some(same)) return 'which a build with a folder for it has followed here';
  return declared.find((one) => same(one.name))?.fragment ?? null;
}
