import { Field, InputType, registerEnumType } from 'type-graphql';
import { enumOf, named, type TypeClass } from './type-class.js';

enum SortDirection {
  ASC = 'ASC',
  DESC = 'DESC',
}
registerEnumType(SortDirection, {
  name: 'SortDirection',
  description: 'Direction of an order.',
  valuesConfig: { ASC: { description: 'Smallest first.' }, DESC: { description: 'Largest first.' } },
});

/** The input for one part of an order, and the enum of what can be ordered by. @param fields descriptions by name. */
export function orderInput(
  name: string,
  fields: Readonly<Record<string, string>>,
  descriptions: { readonly fields: string; readonly order: string; readonly field: string },
): TypeClass {
  const names = enumOf(`${name}OrderField`, descriptions.fields, fields);
  const order = named(`${name}OrderBy`);
  InputType(`${name}OrderBy`, { description: descriptions.order })(order);
  Field(() => names, { description: descriptions.field })(order.prototype, 'field');
  Field(() => SortDirection, { defaultValue: SortDirection.ASC, description: 'The direction.' })(
    order.prototype,
    'direction',
  );
  return order;
}
