import {
  coerceInputValue,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql';
import { suggestionList } from 'graphql/jsutils/suggestionList.js';
import { badInput } from '../errors.js';

/** What a parameter is read with: an argument of a GraphQL field, or one of REST's own in the same form. */
export type Argument = Pick<GraphQLArgument, 'name' | 'type' | 'description' | 'defaultValue'>;

/** How the text of a parameter is to be written. */
type ParameterForm = 'value' | 'list' | 'json' | 'order';

/** One parameter of a URL. */
export interface Parameter {
  readonly name: string;
  readonly description: string;
  readonly form: ParameterForm;
  readonly type: GraphQLInputType;
  readonly required: boolean;
  readonly default: unknown;
}

/** Where the value of a parameter belongs: `['first']`, or `['where', 'amount', 'gte']`. */
interface Slot extends Parameter {
  readonly place: readonly string[];
}

/**
 * The parameters of a URL, made from the arguments of a GraphQL field, so that both take the same input with the same checks and
 * words. A filter's operator is a parameter of its own (`amount.gte=5`; without an operator: equals), a list is written with
 * commas, an order as `-amount,chainId`, and a nested filter as JSON in `where`.
 */
export class Parameters {
  private readonly slots: ReadonlyMap<string, Slot>;

  /** @param path names of those that stand in the path. */
  constructor(
    private readonly args: readonly Argument[],
    private readonly path: readonly string[] = [],
  ) {
    const taken = new Set(args.map((argument) => argument.name));
    const slots = [...args.map(slotOf), ...args.flatMap((argument) => filterSlots(argument, taken))];
    this.slots = new Map(slots.map((slot) => [slot.name, slot]));
  }

  /** In the order of the arguments; the filters by field come last, since they are many. */
  get all(): readonly (Parameter & { in: 'path' | 'query' })[] {
    return [...this.slots.values()].map((slot) => ({
      ...slot,
      in: this.path.includes(slot.name) ? 'path' : 'query',
    }));
  }

  /**
   * Reads the values of all arguments.
   * @throws GraphQLError BAD_USER_INPUT that names the parameter: unknown (with the nearest that there is), given twice, or with a
   *   value that the argument's type refuses.
   */
  read(query: URLSearchParams, path: Readonly<Record<string, string>> = {}): Record<string, unknown> {
    const raw: Record<string, unknown> = {};
    for (const [name, text] of [...Object.entries(path), ...query]) {
      const slot = this.slots.get(name);
      if (!slot || (this.path.includes(name) && query.has(name))) throw this.unknown(name);
      if (query.getAll(name).length > 1)
        throw badInput(`${name} is given twice; a list is written with commas`);
      setAt(raw, slot.place, inputOf(slot, text));
    }
    return Object.fromEntries(this.args.map((argument) => [argument.name, argumentOf(argument, raw)]));
  }

  private unknown(name: string): Error {
    const names = [...this.slots.keys()].filter((known) => !this.path.includes(known));
    const [nearest] = suggestionList(name, names);
    const advice = nearest ? `did you mean ${nearest}?` : 'the page /api/docs lists all there are';
    return badInput(`there is no parameter ${JSON.stringify(name.slice(0, 100))}: ${advice}`);
  }
}

/** The arguments of a GraphQL field in the order in which they are declared; type-graphql collects them from the last one on. */
export function argumentsOf(field: GraphQLField<unknown, unknown>): Argument[] {
  return [...field.args].reverse();
}

/** Where the JSON of a filter waits beside the filters by field: no field has this name. */
const JSON_PART = '(json)';

function slotOf({ name, type, description, defaultValue }: Argument): Slot {
  const slot = {
    name,
    type,
    description: description ?? '',
    required: isNonNullType(type) && defaultValue === undefined,
    default: defaultValue,
    place: [name],
  };
  const isList = isListType(getNullableType(type));
  if (!isInputObjectType(getNamedType(type))) return { ...slot, form: isList ? 'list' : 'value' };
  return isList ? { ...slot, form: 'order' } : { ...slot, form: 'json', place: [name, JSON_PART] };
}

/**
 * The operators of the fields of a filter; `and`, `or` and `not` are for JSON.
 * @param taken names of arguments: a field of the same name is asked for as `name.eq`.
 */
function filterSlots({ name, type }: Argument, taken: ReadonlySet<string>): Slot[] {
  const where = getNullableType(type);
  if (!isInputObjectType(where)) return [];
  return Object.values(where.getFields()).flatMap((field) => {
    const filter = getNullableType(field.type);
    if (!isInputObjectType(filter) || filter === where) return [];
    return Object.values(filter.getFields()).map((operator): Slot => {
      const isPlain = operator.name === 'eq' && !taken.has(field.name);
      return {
        name: isPlain ? field.name : `${field.name}.${operator.name}`,
        description: `${field.description} ${operator.description}`,
        form: isListType(getNullableType(operator.type)) ? 'list' : 'value',
        type: operator.type,
        required: false,
        default: undefined,
        place: [name, field.name, operator.name],
      };
    });
  });
}

function setAt(target: Record<string, unknown>, place: readonly string[], value: unknown): void {
  const [first, ...rest] = place;
  if (!rest.length) {
    target[first!] = value;
    return;
  }
  target[first!] ??= {};
  setAt(target[first!] as Record<string, unknown>, rest, value);
}

/** What a parameter's text says, in the form in which JSON would say it. */
function inputOf({ name, form, type }: Slot, text: string): unknown {
  if (form === 'json') return jsonOf(name, text);
  if (form === 'value') return leafOf(type, text);
  const parts = text === '' ? [] : text.split(',');
  if (form === 'list') return parts.map((part) => leafOf(type, part));
  return parts.map((part) =>
    part.startsWith('-') ? { field: part.slice(1), direction: 'DESC' } : { field: part, direction: 'ASC' },
  );
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badInput(`${name} is not JSON: ${(error as Error).message}`);
  }
}

/** Numbers and booleans are text in a URL; what isn't one stays text, so that its type refuses it in its own words. */
function leafOf(type: GraphQLInputType, text: string): unknown {
  const { name } = getNamedType(type);
  if (['Int', 'Float', 'SafeInt'].includes(name)) return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (name === 'Boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}

function argumentOf({ name, type, defaultValue }: Argument, raw: Record<string, unknown>): unknown {
  const given = raw[name];
  if (given === undefined && defaultValue !== undefined) return defaultValue;
  if (!isInputObjectType(getNullableType(type)))
    return given === undefined && !isNonNullType(type) ? null : coerced(name, given, type);
  if (given === undefined) return null;
  // said apart, so that an error names what the client wrote
  const { [JSON_PART]: json, ...byField } = given as Record<string, unknown>;
  const parts = [
    ...(json === undefined || json === null ? [] : [coerced(name, json, type)]),
    ...(Object.keys(byField).length ? [coerced('', byField, type)] : []),
  ];
  return parts.length > 1 ? { and: parts } : (parts[0] ?? null);
}

/** A value as GraphQL hands it to a resolver. */
function coerced(name: string, value: unknown, type: GraphQLInputType): unknown {
  return coerceInputValue(value, type, (path, _value, error) => {
    const at = [...(name ? [name] : []), ...path].filter((part) => part !== 'eq' || name).join('.');
    throw badInput(`${at}: ${error.message}`);
  });
}
