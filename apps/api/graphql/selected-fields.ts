import {
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
} from 'graphql';
import { collectSubfields } from 'graphql/execution/collectFields.js';

/**
 * Names of the fields that a client selects of a field's result, fragments and `@skip` / `@include` considered: what isn't asked for
 * need not be read.
 * @param path fields below the result, e.g. `['groups', 'sum']`; empty: the result itself.
 */
export function selectedFields(info: GraphQLResolveInfo, path: readonly string[]): Set<string> {
  let at: { type: GraphQLNamedType; nodes: readonly FieldNode[] } = {
    type: getNamedType(info.returnType),
    nodes: info.fieldNodes,
  };
  for (const step of path) {
    const nodes = subfields(info, at).filter(({ name }) => name.value === step);
    if (!nodes.length || !isObjectType(at.type)) return new Set();
    at = { type: getNamedType(at.type.getFields()[step]!.type), nodes };
  }
  return new Set(subfields(info, at).map(({ name }) => name.value));
}

/** The selected fields, once for each time that they are selected (under several names). */
function subfields(
  { schema, fragments, variableValues }: GraphQLResolveInfo,
  { type, nodes }: { type: GraphQLNamedType; nodes: readonly FieldNode[] },
): FieldNode[] {
  if (!isObjectType(type)) return [];
  return [...collectSubfields(schema, fragments, variableValues, type, nodes).values()].flat();
}
