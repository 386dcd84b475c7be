import { id as keccakOfText } from 'ethers';

/**
 * Readable names of the routes of SocketGateway, by the id that its events carry: keccak256 of the name in UTF-8, but for
 * wrappedTokenSwapperImpl, which is right-padded text. The set is open: OP-stack routes take the id from calldata.
 */
const bridgeNames: ReadonlyMap<string, string> = new Map([
  ['0x709f58818bedd58450336213e1f2f6ff7405a2b1e594f64270a17b7e2249419c', 'Across'],
  ['0xfb124487a9ad253606517a08816473db34d3f4319cda7e548f718d1bd7aec4f3', 'Anyswap'],
  ['0xc77ff9af68efffed7454e77fb54f8ff0ce78a7d153d8b300824b82b55aad654f', 'CBridge'],
  ['0x837ed841e30438f54fb6b0097c30a5c4f64b47545c3df655bcd6e44bb8991e37', 'Hop'],
  ['0xd36025cd509d584ab5657a1932f5097aa97e23f66deca532635f79998b4f0bce', 'Hyphen'],
  ['0x2e27c951e4ed3f2f1e7771dd262432f093b6ddeabfca0688443958d00b9bcf56', 'NativeOptimism'],
  ['0x7da5d3610317b9820c1f9de12c4c257f3f0e2ea5b63c99f27ed8e0592ac8fb4c', 'NativeArbitrum'],
  ['0xf1c09a354cd800a13f6f260a3a96a0e33db28b0b53528072473336977bba34f4', 'NativePolygon'],
  ['0x0d2fea28d1562e741fbdf63c210c9b730d85f6504e95650096acf21f93afe549', 'Refuel'],
  ['0x6debe1c49ff1a7d2012a7d55f3935c306a5eb673882f4edde41dbcaa58467fd1', 'Stargate'],
  ['0x2ab0b866d21ac9b7200cb612980a6bede5fc41279d81375c7fe2efd9fa4d9073', 'OneInch'],
  ['0x861b086cbd3ddee2b0b12c8ce3b43e1c111ac87dcabda086e02f18095da12f20', 'Zerox'],
  ['0x520b7e0fa71292fc3580658e9fcf097987149f9bab7aa0a213933370b9f02218', 'Rainbow'],
  ['0xf8455f3379434a3ef6559858314c8f61d36412da9937cd3f1de59562deb078e6', 'cctp'],
  ['0xf902d88747f99d9d727ec886787b85f54753de026065d14f26a61e357d1c13ff', 'cctp-v2'],
  ['0x6e6ef0d56d65c2193ef8da79bb1e0bac59c8ac17fdd0b3cc6122f82f7d42cc9d', 'Connext'],
  ['0x47443678ca5bb8034d5e764a6f20d6e5cfcbb4a3912e12f8bae660cd0face530', 'Synapse'],
  ['0x2e760812e6696b561a918e71ad2845639638959ed846b188488dd0d8c0b953ef', 'ZkSync'],
  ['0xea698b477c99ea804835b684c4c3009f282df52a6bf660d4006c72a3b60fd670', 'Symbiosis'],
  ['0x7c4e564b66172ccd4006719b3b9e6d8e4eabbc54c5cf017495bf6a3b3f4dd06f', 'NativeGnosis'],
  ['0x69f44f5233c0e8b1c14833d7401ce82f23c362f7e7e125bedc2c5e126ab38bb6', 'NativeScroll'],
  ['0xd20b015e92b28033d88b4cafd3b6db4dda8e3b0159caff34f2de623a8e6ff9c6', 'Zeroxv2'],
  ['0xe9936f0ec4354ed5e05fe939bfc04444115d879c284276c89567806a9a5fa275', 'MayanBridge'],
  ['0x536ebacc8116e3e80c1a1826fe9174599281f9b877cc4bb1ce3250a2c291859c', 'GnosisBridgeRouter'],
  ['0x86c029f16460117b4488dbcebd1ea3d4f22aee8859770297bc010a8caaa1b116', 'BaseBridge'],
  ['0xddc44bae4cec4168e76c8f60940ee0abbae677cacb55590a890235614317ef6b', 'ZoraBridge'],
  ['0xc3bc0f52caacc5a87db3ce955e12a8538950098a0012cbacd0e6ff87c0606d33', 'MantleBridge'],
  ['0x3b654adad78ea2ded387f2c5bed3f31dcb9c3e6ab79a28e9dab60dbacbf7c72a', 'MantleNativeBridge'],
  ['0x52d0275a020a4c7ae62ec6f7d7fa9498ef80508501ba5033139ff2cf4d0f631a', 'ModeBridge'],
  ['0xcc231b7032e768dd0a97e8b21d355ca609fe31ebcb2a827b8759fc5dd1d9c95f', 'ScrollNative'],
  ['0x8381ed10ba5922afc2e18270f9785c89117d41af9b60c4950b6f1b84e197e702', 'InkNativeBridge'],
  ['0xd5ade32bc0364d90a2d977abebbc954d3e7173e4b8ccbb82398a1a91a032dc13', 'Magpie'],
  ['0x77726170706564546f6b656e53776170706572496d706c000000000000000000', 'wrappedTokenSwapperImpl'],
]);

/** The readable name of a bridge id (32 bytes of lower-case hex), or the id itself when it isn't known. */
export function bridgeNameOf(id: string): string {
  return bridgeNames.get(id) ?? id;
}

const byLowerCaseName = new Map([...bridgeNames.values()].map((name) => [name.toLowerCase(), name]));

/**
 * What the column `bridge` holds for a route as a person writes it: a known name in any letter case, a name that isn't known
 * yet (rows hold its hash), or an id in hex.
 */
export function bridgeOfText(text: string): string {
  const lower = text.toLowerCase();
  if (/^0x[0-9a-f]{64}$/.test(lower)) return bridgeNameOf(lower);
  return byLowerCaseName.get(lower) ?? keccakOfText(text);
}
