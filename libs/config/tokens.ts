import { chainById } from './chains.js';

/** A token or coin, as a person reads its amounts. */
export interface Token {
  /** The ticker in common use, for example `USDC`. */
  readonly symbol: string;
  /** Amounts are in units of 10^-decimals. */
  readonly decimals: number;
}

/** By this address contracts name the chain's own coin. */
export const NATIVE_COIN = '0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee';

/** The usual id of local chains, forks of Ethereum among them; apps/devchain names Ethereum's tokens, too. */
const LOCAL_CHAIN = 1337;

type TokenRow = readonly [symbol: string, decimals: number, address: string];

const ETHEREUM: readonly TokenRow[] = [
  ['USDC', 6, '0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48'],
  ['USDT', 6, '0xdAC17F958D2ee523a2206206994597C13D831ec7'],
  ['DAI', 18, '0x6B175474E89094C44Da98b954EedeAC495271d0F'],
  ['WETH', 18, '0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2'],
  ['WBTC', 8, '0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599'],
  ['cbBTC', 8, '0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf'],
  ['wstETH', 18, '0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0'],
  ['rETH', 18, '0xae78736Cd615f374D3085123A210448E74Fc6393'],
  ['weETH', 18, '0xCd5fE23C85820F7B72D0926FC9b05b43E359b7ee'],
  ['USDS', 18, '0xdC035D45d973E3EC169d2276DDab16f1e407384F'],
  ['USDe', 18, '0x4c9EDD5852cd905f086C759E8383e09bff1E68B3'],
  ['PYUSD', 6, '0x6c3ea9036406852006290770BEdFcAbA0e23A0e8'],
  ['EURC', 6, '0x1aBaEA1f7C830bD89Acc67eC4af516284b1bC33c'],
  ['FRAX', 18, '0x853d955aCEf822Db058eb8505911ED77F175b99e'],
  ['LUSD', 18, '0x5f98805A4E8be255a32880FDeC7F6728C6568bA0'],
  ['POL', 18, '0x455e53CBB86018Ac2B8092FdCd39d8444aFFC3F6'],
  ['MATIC', 18, '0x7D1AfA7B718fb893dB30A3aBc0Cfc608AaCfeBB0'],
  ['LINK', 18, '0x514910771AF9Ca656af840dff83E8264EcF986CA'],
  ['UNI', 18, '0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984'],
  ['AAVE', 18, '0x7Fc66500c84A76Ad7e9c93437bFc5Ac33E2DDaE9'],
  ['CRV', 18, '0xD533a949740bb3306d119CC777fa900bA034cd52'],
  ['MKR', 18, '0x9f8F72aA9304c8B593d555F12eF6589cC3A579A2'],
];

/**
 * Common tokens by chain id, addresses in EIP-55 form (a test checks that, against slips): each stands in at least one of two
 * published lists, Uniswap's default token list 22.21 and Aave's address book 4.44, with these decimals.
 */
const tokenRows: readonly (readonly [chainId: number, rows: readonly TokenRow[]])[] = [
  [1, ETHEREUM],
  [LOCAL_CHAIN, ETHEREUM],
  [
    10,
    [
      ['USDC', 6, '0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85'],
      ['USDC.e', 6, '0x7F5c764cBc14f9669B88837ca1490cCa17c31607'],
      ['USDT', 6, '0x94b008aA00579c1307B0EF2c499aD98a8ce58e58'],
      ['DAI', 18, '0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1'],
      ['WETH', 18, '0x4200000000000000000000000000000000000006'],
      ['WBTC', 8, '0x68f180fcCe6836688e9084f035309E29Bf0A2095'],
      ['wstETH', 18, '0x1F32b1c2345538c0c6f582fCB022739c4A194Ebb'],
      ['rETH', 18, '0x9Bcef72be871e61ED4fBbc7630889beE758eb81D'],
      ['OP', 18, '0x4200000000000000000000000000000000000042'],
      ['LINK', 18, '0x350a791Bfc2C21F9Ed5d10980Dad2e2638ffa7f6'],
      ['sUSD', 18, '0x8c6f28f2F1A3C87F0f938b96d27520d9751ec8d9'],
      ['LUSD', 18, '0xc40F949F8a4e094D1b49a23ea9241D289B7b2819'],
    ],
  ],
  [
    56,
    [
      ['USDC', 18, '0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d'],
      ['USDT', 18, '0x55d398326f99059fF775485246999027B3197955'],
      ['DAI', 18, '0x1AF3F329e8BE154074D8769D1FFa4eE058B1DBc3'],
      ['BUSD', 18, '0xe9e7CEA3DedcA5984780Bafc599bD69ADd087D56'],
      ['WBNB', 18, '0xbb4CdB9CBd36B01bD1cBaEBF2De08d9173bc095c'],
      ['ETH', 18, '0x2170Ed0880ac9A755fd29B2688956BD959F933F8'],
      ['BTCB', 18, '0x7130d2A12B9BCbFAe4f2634d864A1Ee1Ce3Ead9c'],
      ['Cake', 18, '0x0E09FaBB73Bd3Ade0a17ECC321fD13a19e81cE82'],
    ],
  ],
  [
    100,
    [
      ['USDC', 6, '0xDDAfbb505ad214D7b80b1f830fcCc89B60fb7A83'],
      ['USDC.e', 6, '0x2a22f9c3b484c3629090FeED35F17Ff8F88f76F0'],
      ['WXDAI', 18, '0xe91D153E0b41518A2Ce8Dd3D7944Fa863463a97d'],
      ['WETH', 18, '0x6A023CCd1ff6F2045C3309768eAd9E68F978f6e1'],
      ['wstETH', 18, '0x6C76971f98945AE98dD7d4DFcA8711ebea946eA6'],
      ['GNO', 18, '0x9C58BAcC331c9aa871AFD802DB6379a98e80CEdb'],
      ['EURe', 18, '0xcB444e90D8198415266c6a2724b7900fb12FC56E'],
    ],
  ],
  [
    130,
    [
      ['USDC', 6, '0x078D782b760474a361dDA0AF3839290b0EF57AD6'],
      ['USDT0', 6, '0x9151434b16b9763660705744891fA906F660EcC5'],
      ['WETH', 18, '0x4200000000000000000000000000000000000006'],
      ['UNI', 18, '0x8f187aA05619a017077f5308904739877ce9eA21'],
    ],
  ],
  [
    137,
    [
      ['USDC', 6, '0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359'],
      ['USDC.e', 6, '0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174'],
      ['USDT', 6, '0xc2132D05D31c914a87C6611C10748AEb04B58e8F'],
      ['DAI', 18, '0x8f3Cf7ad23Cd3CaDbD9735AFf958023239c6A063'],
      ['WETH', 18, '0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619'],
      ['WBTC', 8, '0x1BFD67037B42Cf73acF2047067bd4F2C47D9BfD6'],
      ['WPOL', 18, '0x0d500B1d8E8eF31E21C99d1Db9A6444d3ADf1270'],
      ['wstETH', 18, '0x03b54A6e9a984069379fae1a4fC4dBAE93B3bCCD'],
      ['LINK', 18, '0x53E0bca35eC356BD5ddDFebbD1Fc0fD03FaBad39'],
      ['AAVE', 18, '0xD6DF932A45C0f255f85145f286eA0b292B21C90B'],
    ],
  ],
  [
    146,
    [
      ['USDC', 6, '0x29219dd400f2Bf60E5a23d13Be72B486D4038894'],
      ['WETH', 18, '0x50c42dEAcD8Fc9773493ED674b675bE577f2634b'],
      ['wS', 18, '0x039e2fB66102314Ce7b64Ce5Ce3E5183bc94aD38'],
    ],
  ],
  [
    324,
    [
      ['USDC', 6, '0x1d17CBcF0D6D143135aE902365D2E5e2A16538D4'],
      ['USDT', 6, '0x493257fD37EDB34451f62EDf8D2a0C418852bA4C'],
      ['WETH', 18, '0x5AEa5775959fBC2557Cc8789bC1bf90A239D9a91'],
      ['ZK', 18, '0x5A7d6b2F92C77FAD6CCaBd7EE0624E64907Eaf3E'],
    ],
  ],
  [
    480,
    [
      ['USDC.e', 6, '0x79A02482A880bCE3F13e09Da970dC34db4CD24d1'],
      ['WETH', 18, '0x4200000000000000000000000000000000000006'],
      ['WBTC', 8, '0x03C7054BCB39f7b2e5B2c7AcB37583e32D70Cfa3'],
    ],
  ],
  [
    5000,
    [
      ['USDC', 6, '0x09Bc4E0D864854c6aFB6eB9A9cdF58aC190D0dF9'],
      ['WETH', 18, '0xdEAddEaDdeadDEadDEADDEAddEADDEAddead1111'],
      ['WMNT', 18, '0x78c1b0C915c4FAA5FffA6CAbf0219DA63d7f4cb8'],
    ],
  ],
  [
    8453,
    [
      ['USDC', 6, '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913'],
      ['USDbC', 6, '0xd9aAEc86B65D86f6A7B5B1b0c42FFA531710b6CA'],
      ['DAI', 18, '0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb'],
      ['WETH', 18, '0x4200000000000000000000000000000000000006'],
      ['cbBTC', 8, '0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf'],
      ['cbETH', 18, '0x2Ae3F1Ec7F1F5012CFEab0185bfc7aa3cf0DEc22'],
      ['wstETH', 18, '0xc1CBa3fCea344f92D9239c08C0568f6F2F0ee452'],
      ['weETH', 18, '0x04C0599Ae5A44757c0af6F9eC3b93da8976c150A'],
      ['EURC', 6, '0x60a3E35Cc302bFA44Cb288Bc5a4F316Fdb1adb42'],
    ],
  ],
  [
    42161,
    [
      ['USDC', 6, '0xaf88d065e77c8cC2239327C5EDb3A432268e5831'],
      ['USDC.e', 6, '0xFF970A61A04b1cA14834A43f5dE4533eBDDB5CC8'],
      ['USDT', 6, '0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9'],
      ['DAI', 18, '0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1'],
      ['WETH', 18, '0x82aF49447D8a07e3bd95BD0d56f35241523fBab1'],
      ['WBTC', 8, '0x2f2a2543B76A4166549F7aaB2e75Bef0aefC5B0f'],
      ['cbBTC', 8, '0xcbB7C0000aB88B473b1f5aFd9ef808440eed33Bf'],
      ['wstETH', 18, '0x5979D7b546E38E414F7E9822514be443A4800529'],
      ['rETH', 18, '0xEC70Dcb4A1EFa46b8F2D97C310C9c4790ba5ffA8'],
      ['weETH', 18, '0x35751007a407ca6FEFfE80b3cB397736D2cf4dbe'],
      ['ARB', 18, '0x912CE59144191C1204E64559FE8253a0e49E6548'],
      ['LINK', 18, '0xf97f4df75117a78c1A5a0DBb814Af92458539FB4'],
    ],
  ],
  [
    43114,
    [
      ['USDC', 6, '0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E'],
      ['USDT', 6, '0x9702230A8Ea53601f5cD2dc00fDBc13d4dF4A8c7'],
      ['DAI.e', 18, '0xd586E7F844cEa2F87f50152665BCbc2C279D8d70'],
      ['WAVAX', 18, '0xB31f66AA3C1e785363F0875A1B74E27b85FD66c7'],
      ['WETH.e', 18, '0x49D5c2BdFfac6CE2BFdB6640F4F80f226bc10bAB'],
      ['WBTC.e', 8, '0x50b7545627a5162F82A992c33b87aDc75187B218'],
      ['BTC.b', 8, '0x152b9d0FdC40C096757F570A51E494bd4b943E50'],
      ['LINK.e', 18, '0x5947BB275c521040051D82396192181b413227A3'],
    ],
  ],
  [
    57073,
    [
      ['USDC', 6, '0x2D270e6886d130D724215A266106e6832161EAEd'],
      ['USDT0', 6, '0x0200C29006150606B650577BBE7B6248F58470c1'],
      ['WETH', 18, '0x4200000000000000000000000000000000000006'],
    ],
  ],
  [
    59144,
    [
      ['USDC', 6, '0x176211869cA2b568f2A7D4EE941E073a821EE1ff'],
      ['USDT', 6, '0xA219439258ca9da29E9Cc4cE5596924745e12B93'],
      ['WETH', 18, '0xe5D7C2a44FfDDf6b295A15c148167daaAf5Cf34f'],
      ['WBTC', 8, '0x3aAB2285ddcDdaD8edf438C1bAB47e1a9D05a9b4'],
      ['wstETH', 18, '0xB5beDd42000b71FddE22D3eE8a79Bd49A568fC8F'],
    ],
  ],
  [
    534352,
    [
      ['USDC', 6, '0x06eFdBFf2a14a7c8E15944D1F4A48F9F95F663A4'],
      ['WETH', 18, '0x5300000000000000000000000000000000000004'],
      ['wstETH', 18, '0xf610A9dfB7C89644979b4A0f27063E9e7d7Cda32'],
    ],
  ],
];

/** All of the list. */
export const commonTokens: readonly (Token & { readonly chainId: number; readonly address: string })[] =
  tokenRows.flatMap(([chainId, rows]) =>
    rows.map(([symbol, decimals, address]) => ({ chainId, symbol, decimals, address })),
  );

const byAddress = new Map(
  commonTokens.map(({ chainId, address, symbol, decimals }) => [
    `${chainId} ${address.toLowerCase()}`,
    { symbol, decimals },
  ]),
);

/**
 * The token of an address on a chain, for `NATIVE_COIN` the chain's own coin.
 * @param address 20 bytes of lower-case hex. @returns null when it isn't in the list: many tokens aren't.
 */
export function tokenOf(chainId: number, address: string): Token | null {
  if (address === NATIVE_COIN) return nativeCoinOf(chainId);
  return byAddress.get(`${chainId} ${address}`) ?? null;
}

function nativeCoinOf(chainId: number): Token | null {
  return chainById(chainId === LOCAL_CHAIN ? 1 : chainId)?.nativeCoin ?? null;
}
