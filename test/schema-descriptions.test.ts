import { readFileSync } from 'node:fs';
import {
  buildSchema,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { expect, test } from 'vitest';

interface Described {
  readonly path: string;
  readonly description: string | null | undefined;
  /** Name of its type; of types and enum values none. */
  readonly type?: string;
}

const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

/** Everything that has a description in a schema: types, fields, arguments, enum values. */
function described(): Described[] {
  const own = Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
  return own.flatMap((type) => {
    const head = { path: type.name, description: type.description };
    if (isEnumType(type)) {
      const values = type.getValues().map(({ name, description }) => {
        return { path: `${type.name}.${name}`, description };
      });
      return [head, ...values];
    }
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return [head];
    return [head, ...Object.values(type.getFields()).flatMap((field) => ofField(type.name, field))];
  });
}

function ofField(owner: string, field: GraphQLField<unknown, unknown> | GraphQLInputField): Described[] {
  const of = (path: string, one: GraphQLArgument | typeof field): Described => {
    return { path, description: one.description, type: getNamedType(one.type).name };
  };
  const args = 'args' in field ? field.args : [];
  const path = `${owner}.${field.name}`;
  return [of(path, field), ...args.map((argument) => of(`${path}(${argument.name})`, argument))];
}

test('every type, field, argument and enum value of the schema is described in a sentence', () => {
  const all = described();
  expect(all.length).toBeGreaterThan(150);
  expect(all.filter(({ description }) => !/\S.*[.:)]$/s.test(description ?? '')).map((d) => d.path)).toEqual(
    [],
  );
});

/** What a number can be here: an amount of something, or a place in an order. */
const units =
  /\b(unit|blocks?|seconds?|rows?|events?|groups?|values|logs|changes|places|height|index|id|LayerZero|number of the|0 to 1)\b/i;

test('every number of the schema says of what it is', () => {
  const numbers = described().filter(
    ({ path, type }) => /^(Int|Float|SafeInt|BigInt)$/.test(type ?? '') && !/Filter\./.test(path),
  );
  expect(numbers.length).toBeGreaterThan(20);
  expect(numbers.filter(({ description }) => !units.test(description ?? '')).map((n) => n.path)).toEqual([]);
});
