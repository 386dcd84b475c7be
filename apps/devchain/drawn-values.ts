import type { Draw } from './draw.js';
import { digestOf } from './identity.js';
import type { Token } from './socket-gateway.js';
import type { Transaction } from './transactions.js';

const USERS = 3000;
const MEDIAN_DOLLARS = 160;
const DOLLARS_SIGMA = 1.7;

/**
 * A transaction with what every one has. Its call data are drawn when somebody asks for them: a search for logs doesn't, and
 * making them takes a third of its time.
 * @param draw is this transaction's own, and nothing else is drawn of it any more.
 */
export function drawnTransaction(
  draw: Draw,
  { hash, from, to, value, logs }: Pick<Transaction, 'hash' | 'from' | 'to' | 'value' | 'logs'>,
): Transaction {
  const nonce = draw.below(900);
  const gasPrice = 1_000_000_000 + draw.below(20_000_000_000);
  const gasUsed = 60_000 + draw.below(400_000);
  let input: string | undefined;
  return {
    hash,
    nonce,
    gasPrice,
    gasUsed,
    get input() {
      // the gateway's selector is a route number
      input ??= `0x${draw.below(500).toString(16).padStart(8, '0')}${draw.hex(32)}`;
      return input;
    },
    from,
    to,
    value,
    logs,
  };
}

/** An amount in the token's smallest unit, at least 1. Four in ten are round, as people type them. */
export function amountOf(draw: Draw, token: Token): bigint {
  const units = draw.logNormal(MEDIAN_DOLLARS, DOLLARS_SIGMA) / token.dollars;
  if (draw.chance(0.4)) return scaled(Number(units.toPrecision(2)), token.decimals);
  const exact = scaled(units, token.decimals);
  const tail = 10n ** BigInt(Math.max(0, token.decimals - 8));
  return (exact / tail) * tail + (BigInt(`0x${draw.hex(8)}`) % tail);
}

/** What an amount of a token buys of another, at the tokens' prices less 0.3 %. */
export function converted(amount: bigint, from: Token, to: Token): bigint {
  const rate = scaled((from.dollars / to.dollars) * 0.997, 9);
  const bought = (amount * rate * 10n ** BigInt(to.decimals)) / 10n ** BigInt(from.decimals + 9);
  return bought > 0n ? bought : 1n;
}

/** A decimal number as a whole number of 10^-decimals, at least 1; numbers here lie far below 10^15. */
function scaled(value: number, decimals: number): bigint {
  const shifted = Math.min(decimals, 8);
  const whole = BigInt(Math.round(value * 10 ** shifted)) * 10n ** BigInt(decimals - shifted);
  return whole > 0n ? whole : 1n;
}

const users: string[] = [];

/** One of {@link USERS} people; some are far busier than others. */
export function userOf(draw: Draw): string {
  const index = Math.floor(USERS * draw.uniform() ** 3);
  users[index] ??= digestOf(`user:${index}`, 20);
  return users[index];
}
