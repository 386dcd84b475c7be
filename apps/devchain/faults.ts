export type FaultKind = 'http_429';
export class Faults {
  counts = new Map<FaultKind, number>();
  rates: Partial<Record<FaultKind, number>> = {};
  constructor(readonly seed: string) {}
}
