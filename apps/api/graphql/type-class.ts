import { registerEnumType } from 'type-graphql';

// biome-ignore lint/suspicious/noExplicitAny: classes made here have no static shape; type-graphql takes them as values
export type TypeClass = new () => any;

/** An enum of these names, as type-graphql takes it. @param values descriptions by name. */
export function enumOf(name: string, description: string, values: Readonly<Record<string, string>>): object {
  const names = Object.fromEntries(Object.keys(values).map((value) => [value, value]));
  const valuesConfig = Object.fromEntries(
    Object.entries(values).map(([value, text]) => [value, { description: text }]),
  );
  registerEnumType(names, { name, description, valuesConfig });
  return names;
}

/** An empty class of this name, to be made a GraphQL type. */
export function named(name: string): TypeClass {
  return { [name]: class {} }[name] as TypeClass;
}
