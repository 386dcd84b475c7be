import { TSMigrationGenerator } from '@mikro-orm/migrations';
import { events } from '#libs/events/registry.js';

/** What a schema must be told, up and down, statement by statement. */
interface Statements {
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/** One step of a `StepwiseMigration`: calls of its methods, as code. */
interface Step {
  readonly up: string;
  readonly down: string | null;
}

/** A change of the schema that lets everybody go on reading and writing. */
interface SafeChange {
  /** What takes a table for a moment only, in one transaction. */
  readonly quick: Statements;
  /** What takes its time, and nobody's way. */
  readonly steps: readonly Step[];
}

const createTable = /^create table "(\w+)"/;
const createIndex = /^create (unique )?index "(\w+)" on "(\w+)"/;
const dropIndex = /^drop index "(\w+)"/;
const alterTable = /^alter table "(\w+)"/;
const setNotNull = /^alter table "(\w+)" alter column "(\w+)" set not null;?$/;

/**
 * Tables of events leave a tenth of each page free: so a new version of a row, as `derive` makes one of each, has room beside the old one,
 * and its dozen indexes needn't be touched (HOT updates). A new column of 300,000 rows is filled 1.25 times as fast.
 */
const EVENT_TABLE_FILL = 90;

/**
 * Makes a change of the schema safe on tables that are large and in use: indexes are built concurrently, columns become `not null` by a
 * check that is validated beside the running writes, and whoever waits for a table gives up soon, so that nobody waits behind it.
 * @throws Error when a column of a table that exists would have no value in the rows that are stored.
 */
export function safeChange({ up, down }: Statements): SafeChange {
  const fresh = new Set(up.flatMap((statement) => createTable.exec(statement)?.[1] ?? []));
  const isKnown = (table: string | undefined) => table !== undefined && !fresh.has(table);
  const wrong = up.flatMap((s) => (isKnown(alterTable.exec(s)?.[1]) ? columnsWithoutValue(s) : []));
  if (wrong.length) throw new Error(wrong.join('\n'));
  const steps = new Map(up.flatMap((statement) => stepOf(statement, isKnown)));
  const indexes = new Set([...steps.keys()].flatMap((statement) => createIndex.exec(statement)?.[2] ?? []));
  const quick = up.filter((statement) => !steps.has(statement)).map(withRoom);
  const waits = quick.some((s) => isKnown(alterTable.exec(s)?.[1]) || dropIndex.test(s));
  return {
    quick: {
      up: waits ? ["set local lock_timeout = '1s';", ...quick] : quick,
      down: down.filter((statement) => !indexes.has(dropIndex.exec(statement)?.[1] ?? '')),
    },
    steps: [...steps.values()],
  };
}

function withRoom(statement: string): string {
  const table = createTable.exec(statement)?.[1];
  if (!events.some((event) => event.table === table)) return statement;
  return statement.replace(/\);?$/, `) with (fillfactor = ${EVENT_TABLE_FILL});`);
}

/** What is wrong with the columns that a statement adds, in words. */
function columnsWithoutValue(statement: string): string[] {
  const table = alterTable.exec(statement)![1]!;
  const added = [...statement.matchAll(/\badd (?:column )?"(\w+)" ([^"]*?)(?=, add |;|$)/g)];
  return added.flatMap(([, column, definition]) =>
    / not null/.test(definition!) && !/ default /.test(definition!)
      ? [
          `column ${column} of ${table} must be nullable: rows that are stored have no value for it. Write "nullable: true" at the column, fill it by "npm run derive", then take the word away: the migration for that is written, too.`,
        ]
      : [],
  );
}

function stepOf(statement: string, isKnown: (table: string | undefined) => boolean): [string, Step][] {
  const [, , index, table] = createIndex.exec(statement) ?? [];
  if (isKnown(table)) {
    const concurrently = statement.replace(/;$/, '').replace(/ index "/, ' index concurrently "');
    const up = `this.createIndex('${index}', ${text(concurrently)})`;
    return [[statement, { up, down: `this.dropIndex('${index}')` }]];
  }
  const [, altered, column] = setNotNull.exec(statement) ?? [];
  return isKnown(altered)
    ? [[statement, { up: `this.setNotNull('${altered}', '${column}')`, down: null }]]
    : [];
}

/** A text as a literal of TypeScript. */
function text(of: string): string {
  return `\`${of.replace(/[`$\\]/g, '\\$&')}\``;
}

/** Writes a change of the schema as one or two migrations: first what is quick, then what takes its time. */
export class SafeMigrationGenerator extends TSMigrationGenerator {
  private steps: readonly Step[] = [];

  /** @returns code and names of what was written. @throws Error as `safeChange`. */
  override async generate(diff: Statements, path?: string, name?: string): Promise<[string, string]> {
    const { quick, steps } = safeChange(diff);
    const files: [string, string][] = [];
    this.steps = [];
    if (quick.up.some(Boolean))
      files.push(await super.generate({ up: [...quick.up], down: [...quick.down] }, path, name));
    this.steps = steps;
    if (steps.length) files.push(await super.generate({ up: [], down: [] }, path, `${name}_steps`));
    return [files.map(([code]) => code).join('\n'), files.map(([, file]) => file).join(', ')];
  }

  override generateMigrationFile(className: string, diff: { up: string[]; down: string[] }): string {
    if (!this.steps.length) return super.generateMigrationFile(className, diff);
    const method = (direction: string, calls: readonly string[]) =>
      `  override async ${direction}(): Promise<void> {\n${calls.map((call) => `    await ${call};\n`).join('')}  }\n`;
    const down = this.steps.flatMap((step) => step.down ?? []);
    return `import { StepwiseMigration } from '../stepwise-migration.js';

export class ${className} extends StepwiseMigration {
  override name = '${className}';

${method(
  'up',
  this.steps.map((step) => step.up),
)}${down.length ? `\n${method('down', down)}` : ''}}
`;
  }
}
