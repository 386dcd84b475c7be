import { getNamedType, getNullableType, isEnumType, isInputObjectType, isObjectType } from 'graphql';
import { type Schema, Schemas } from './json-schema.js';
import type { Parameter } from './parameters.js';
import type { Route } from './route.js';

/** The OpenAPI 3.1 document of the routes: parameters, answers and errors, all from what the routes themselves go by. */
export function openApiDocument(routes: readonly Route[]): object {
  const schemas = new Schemas(new Set(routes.flatMap((route) => route.answers.sparse ?? [])));
  const paths = Object.fromEntries(routes.map((route) => [route.path, { get: operationOf(route, schemas) }]));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Event Monitor',
      version: '1',
      description:
        'Events of EVM contracts: pages, exports, a live stream, and how the chains are doing. The same reads as GraphQL at `/graphql`.',
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    // a key is needed only where API_KEYS is set
    security: [{}, { bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
      schemas: { ...schemas.all, Error: errorSchema },
    },
  };
}

const errorSchema: Schema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', description: 'The same as in GraphQL, such as BAD_USER_INPUT.' },
        message: { type: 'string', description: 'What was found and what is allowed.' },
        requestId: { type: 'string', description: 'What the log of the server calls it.' },
      },
    },
  },
};

function operationOf(route: Route, schemas: Schemas): object {
  const { tag, operationId, summary, description, answers } = route;
  const error = (text: string) => ({
    description: text,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  });
  return {
    tags: [tag],
    operationId,
    summary,
    ...(description && { description }),
    parameters: [
      ...route.parameters.all.map((parameter) => parameterOf(parameter, schemas)),
      ...Object.entries(route.headers ?? {}).map(([name, text]) => ({
        name,
        in: 'header',
        description: text,
        schema: { type: 'string' },
      })),
    ],
    responses: {
      200: {
        description: answers.description,
        content: { [answers.mediaType]: { schema: answerSchema(answers, schemas) } },
      },
      400: error('The input can’t be used; the message names the parameter.'),
      ...(route.mayMiss && { 404: error('There is none.') }),
      default: error('Another error.'),
    },
  };
}

function answerSchema({ type, omit, optional, added }: Route['answers'], schemas: Schemas): Schema {
  const body = getNullableType(type);
  if (!isObjectType(body) || !(added || omit || optional)) return schemas.of(type);
  const { required, properties, ...rest } = schemas.objectOf(body, { omit, optional });
  const more = Object.entries(added ?? {}).map(([name, text]) => [
    name,
    { type: 'string', description: text },
  ]);
  return {
    ...rest,
    required: [...required, ...Object.keys(added ?? {})],
    properties: { ...properties, ...Object.fromEntries(more) },
  };
}

function parameterOf(parameter: Parameter & { in: string }, schemas: Schemas): object {
  const { name, description, required, default: byDefault } = parameter;
  const head = { name, in: parameter.in, description, required: required || parameter.in === 'path' };
  const value = schemas.of(getNamedType(parameter.type));
  // as text: pages that try it out fill in an example of every field otherwise
  if (parameter.form === 'json')
    return {
      ...head,
      schema: { type: 'string', contentMediaType: 'application/json', contentSchema: value },
    };
  const schema = {
    value: byDefault === undefined ? value : { ...value, default: byDefault },
    list: { type: 'array', items: value },
    order: { type: 'array', items: orderSchema(parameter) },
  }[parameter.form];
  return { ...head, ...(parameter.form !== 'value' && { style: 'form', explode: false }), schema };
}

/** A column, with a minus for the largest first. */
function orderSchema({ type }: Parameter): Schema {
  const order = getNamedType(type);
  const column = isInputObjectType(order) ? getNamedType(order.getFields().field!.type) : null;
  const names = isEnumType(column) ? column.getValues().map((value) => value.name) : [];
  return { type: 'string', enum: names.flatMap((name) => [name, `-${name}`]) };
}
