import type { Column } from './column.js';

/** What is told of an amount. */
export const amountFunctions = ['sum', 'min', 'max'] as const;
export type AmountFunction = (typeof amountFunctions)[number];

/** What of a column decides which figures it has, and whether its name stands beside theirs. */
type Figured = Pick<Column, 'property' | 'kind' | 'amountOf'>;

/** The name that a figure of a column has among the aggregates of an event: `distinctSender`, `sumAmount`. */
export function figureName(figure: 'distinct' | AmountFunction, property: string): string {
  return `${figure}${property[0]!.toUpperCase()}${property.slice(1)}`;
}

/** Whether an event's own column is taken for an address whose distinct values can be counted. */
export function isCounted({ kind }: Figured): boolean {
  return kind === 'address';
}

/** Whether events can be grouped by an own column of theirs: then its name stands beside those of the figures. */
export function isGrouped({ kind, amountOf }: Figured): boolean {
  return kind !== 'json' && amountOf === null;
}

/** The first of an event's own columns whose name a figure of the event has, too, or undefined. */
export function namedAsFigure<C extends Figured>(columns: readonly C[]): C | undefined {
  const figures = new Set(['bucket', 'count', ...columns.flatMap(figuresOf)]);
  return columns.find((column) => isGrouped(column) && figures.has(column.property));
}

function figuresOf(column: Figured): string[] {
  const { property, amountOf } = column;
  return [
    ...(isCounted(column) ? [figureName('distinct', property)] : []),
    ...(amountOf === null ? [] : amountFunctions.map((figure) => figureName(figure, property))),
  ];
}
