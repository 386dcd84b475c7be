import { getAddress } from 'ethers';
import { expect, test } from 'vitest';
import { chainById, chainNameOf, chains } from '#libs/config/chains.js';
import { commonTokens, NATIVE_COIN, tokenOf } from '#libs/config/tokens.js';

test('every common token has an address whose checksum is right, once per chain', () => {
  for (const { address } of commonTokens) expect(address).toBe(getAddress(address));
  const keys = commonTokens.map(({ chainId, address }) => `${chainId} ${address}`);
  expect(new Set(keys).size).toBe(keys.length);
});

test('a token is found by chain and address: the same address is another token elsewhere, or none', () => {
  const usdc = '0x833589fcd6edb6e08f4c7c32d4f71b54bda02913';
  expect(tokenOf(8453, usdc)).toEqual({ symbol: 'USDC', decimals: 6 });
  expect(tokenOf(1, usdc)).toBeNull();
  expect(tokenOf(56, '0x55d398326f99059ff775485246999027b3197955')).toEqual({ symbol: 'USDT', decimals: 18 });
});

test('the marker of the native coin is the coin of each chain, and nothing where the chain is not known', () => {
  for (const { id, nativeCoin } of chains) expect(tokenOf(id, NATIVE_COIN)).toEqual(nativeCoin);
  expect(tokenOf(123_456_789, NATIVE_COIN)).toBeNull();
});

test('chains have names, followed or not, and unknown ones have none', () => {
  expect(chainNameOf(8453)).toBe(chainById(8453)!.name);
  expect(chainNameOf(2222)).toBe('Kava');
  expect(chainNameOf(109)).toBeNull();
  expect(chainNameOf(Number(2n ** 256n - 1n))).toBeNull();
});
