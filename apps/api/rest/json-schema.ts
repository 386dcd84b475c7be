import {
  type GraphQLInputObjectType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';

/** A JSON schema. */
export type Schema = Readonly<Record<string, unknown>>;

/** The forms of scalars in JSON; of those that aren't listed only the description is told. */
const scalarForms: Readonly<Record<string, Schema>> = {
  BigInt: { type: 'string', pattern: '^[0-9]{1,78}$' },
  SignedBigInt: { type: 'string', pattern: '^-?[0-9]{1,78}$' },
  JSON: {},
  SafeInt: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  Int: { type: 'integer' },
  Float: { type: 'number' },
  Boolean: { type: 'boolean' },
  String: { type: 'string' },
  ID: { type: 'string' },
  Address: { type: 'string', pattern: '^0x[0-9a-fA-F]{40}$' },
  Bytes32: { type: 'string', pattern: '^0x[0-9a-fA-F]{64}$' },
  Bytes: { type: 'string', pattern: '^0x([0-9a-fA-F]{2})*$' },
  DateTime: { type: 'string', format: 'date-time' },
  FeedCursor: { type: 'string' },
};

/** JSON schemas of GraphQL types, each once under its name. */
export class Schemas {
  readonly all: Record<string, Schema> = {};

  /** @param sparse names of object types whose fields aren't always there. */
  constructor(private readonly sparse: ReadonlySet<string>) {}

  /** A reference to the schema of a type, which is made if need be. */
  of(type: GraphQLType): Schema {
    if (isNonNullType(type)) return this.of(type.ofType);
    if (isListType(type)) return { type: 'array', items: this.orNull(type.ofType) };
    if (!this.all[type.name]) {
      // the name first: a filter holds filters of its own type
      this.all[type.name] = {};
      this.all[type.name] = this.define(type);
    }
    return { $ref: `#/components/schemas/${type.name}` };
  }

  /** The schema of an object type itself. @param except fields that are left out, or not always there. */
  objectOf(
    type: GraphQLObjectType | GraphQLInputObjectType,
    except: { omit?: readonly string[]; optional?: readonly string[] } = {},
  ) {
    const { omit = [], optional = [] } = except;
    const fields = Object.values(type.getFields()).filter(({ name }) => !omit.includes(name));
    const required = fields.filter(
      (field) =>
        (isObjectType(type) && !this.sparse.has(type.name)) ||
        (isInputObjectType(type) && isNonNullType(field.type) && field.defaultValue === undefined),
    );
    return {
      type: 'object',
      ...(type.description && { description: type.description }),
      required: required.map(({ name }) => name).filter((name) => !optional.includes(name)),
      properties: Object.fromEntries(
        fields.map((field) => [
          field.name,
          {
            ...(isObjectType(type) ? this.orNull(field.type) : this.of(field.type)),
            ...(field.description && { description: field.description }),
          },
        ]),
      ),
    };
  }

  private orNull(type: GraphQLType): Schema {
    return isNonNullType(type) ? this.of(type) : { anyOf: [this.of(type), { type: 'null' }] };
  }

  private define(type: GraphQLNamedType): Schema {
    if (isObjectType(type) || isInputObjectType(type)) return this.objectOf(type);
    const description = type.description ? { description: type.description } : {};
    if (isEnumType(type))
      return { ...description, type: 'string', enum: type.getValues().map((value) => value.name) };
    return { ...description, ...scalarForms[type.name] };
  }
}
