// biome-ignore lint/suspicious/noExplicitAny: classes made here have no static shape; type-graphql takes them as values
export type TypeClass = new () => any;

/** An empty class of this name, to be made a GraphQL type. */
export function named(name: string): TypeClass {
  return { [name]: class {} }[name] as TypeClass;
}
