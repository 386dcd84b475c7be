import { defineEvent } from '../event.js';

/** SocketGateway's FeesTakerController: an integrator's fee is taken before the rest goes on. */
export const socketFeesDeducted = defineEvent({
  name: 'SocketFeesDeducted',
  signature: 'event SocketFeesDeducted(uint256 fees, address feesToken, address feesTaker)',
  description:
    "An integrator's fee was taken by SocketGateway (Socket / Bungee). The contract emits the taker where its ABI says token, and the token where it says taker: the columns hold what the words mean.",
  columns: {
    fees: {
      kind: 'uint256',
      description: 'The fee, in the smallest unit of `feesToken`.',
      amountOf: 'feesToken',
    },
    feesToken: {
      kind: 'address',
      description:
        "Token of the fee (the ABI's third argument, there called feesTaker); 0xeeee…eeee stands for the chain's native coin.",
      indexed: true,
      refersTo: 'token',
      from: (args) => args.feesTaker!,
    },
    feesTaker: {
      kind: 'address',
      description: "Who got the fee (the ABI's second argument, there called feesToken).",
      indexed: true,
      from: (args) => args.feesToken!,
    },
  },
});
