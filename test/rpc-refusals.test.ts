import { expect, test } from 'vitest';
import { readRefusal } from '#libs/chain/refusal.js';
import { providerErrors } from './services/provider-errors.js';

test.each(providerErrors)(
  '$provider: "$message" is $kind',
  ({ message, data, http, kind, limit, suggested }) => {
    const refusal = readRefusal(message, data, http ?? 200);
    expect({ kind: refusal.kind, limit: refusal.limit, suggested: refusal.suggested }).toEqual({
      kind,
      limit,
      suggested,
    });
  },
);

test('a reason that stands only in the data is found', () => {
  const data = { range: 'the range 1 - 50 exceeds the range allowed for your plan (49 > 20).' };
  expect(readRefusal('Invalid params', data, 400)).toMatchObject({ kind: 'range_limit', limit: 20 });
});

test('words that no rule knows are judged by the status', () => {
  const kinds = [429, 401, 403, 500, 200].map(
    (status) => readRefusal('nothing known', undefined, status).kind,
  );
  expect(kinds).toEqual(['rate_limit', 'auth', 'auth', 'transient', 'transient']);
});

test('a wait that a provider names in its data is taken', () => {
  const data = { rate: { backoff_seconds: 30, allowed_rps: 10, current_rps: 12 } };
  expect(readRefusal('daily request count exceeded, request rate limited', data, 429)).toMatchObject({
    kind: 'rate_limit',
    retryAfterMs: 30_000,
  });
});
