import { type GraphQLOutputType, isLeafType, isListType, isNonNullType, isObjectType } from 'graphql';

/** Turns a value that a read gives into what JSON says. */
type Writer = (value: unknown) => unknown;

/**
 * Makes the writer of a GraphQL type: all its fields, each in GraphQL's form (BigInt as a decimal string, times in ISO 8601), so that
 * REST and GraphQL can't differ. What a read leaves undefined is left out. Made once per type, since it runs for every row of an export.
 * @param omit fields of the type itself that are left out.
 */
export function jsonWriter(type: GraphQLOutputType, omit: readonly string[] = []): Writer {
  if (isNonNullType(type)) return jsonWriter(type.ofType, omit);
  const write = writerOf(type, omit);
  return (value) => (value === null || value === undefined ? value : write(value));
}

function writerOf(type: GraphQLOutputType, omit: readonly string[]): Writer {
  if (isLeafType(type)) return (value) => type.serialize(value);
  if (isListType(type)) {
    const one = jsonWriter(type.ofType, omit);
    return (value) => (value as readonly unknown[]).map(one);
  }
  if (!isObjectType(type)) throw new Error(`REST has no form for ${String(type)}`);
  const fields = Object.values(type.getFields())
    .filter((field) => !omit.includes(field.name))
    .map((field) => [field.name, jsonWriter(field.type)] as const);
  return (value) =>
    Object.fromEntries(
      fields.map(([name, write]) => [name, write((value as Record<string, unknown>)[name])]),
    );
}
