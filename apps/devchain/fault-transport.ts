import type { Injection, SeenRequest } from './fault-injector.js';
import type { FaultKind, Faults } from './faults.js';
import { failure, type Outcome } from './json-rpc.js';
import { HTML_PAGE, rateRefusal } from './provider-words.js';
import type { RpcError } from './rpc-error.js';

type HttpOutcome = Extract<Outcome, { kind: 'http' }>;

const JSON_TYPE = { 'content-type': 'application/json' };
const RETRY_AFTER_SECONDS = 1;

/** Answers of proxies and gateways, which come before the node and know nothing of the request's id. */
const STATUSES: Partial<Record<FaultKind, (faults: Faults) => Omit<HttpOutcome, 'kind'>>> = {
  http_429: (faults) => ({ status: 429, headers: JSON_TYPE, body: refusalBody(rateRefusal(faults.draw)) }),
  http_429_retry_after: () => ({
    status: 429,
    headers: { 'content-type': 'text/plain', 'retry-after': String(RETRY_AFTER_SECONDS) },
    body: 'Too Many Requests',
  }),
  http_500: () => ({
    status: 500,
    headers: JSON_TYPE,
    body: JSON.stringify(failure(null, -32603, 'Internal error')),
  }),
  http_502: () => ({
    status: 502,
    headers: { 'content-type': 'text/html' },
    body: '<html><head><title>502 Bad Gateway</title></head></html>\n',
  }),
  http_503: () => ({
    status: 503,
    headers: JSON_TYPE,
    body: JSON.stringify(failure(null, -32011, 'no backend is currently healthy to serve traffic')),
  }),
  html_200: () => ({ status: 200, headers: { 'content-type': 'text/html; charset=UTF-8' }, body: HTML_PAGE }),
};

/** Faults that concern the request as a whole, whatever it asks. */
export function brokenTransport(kind: FaultKind, seen: SeenRequest, faults: Faults): Injection | null {
  const happens = (outcome: Outcome): Injection => ({
    instead: () => {
      faults.happened(kind);
      return outcome;
    },
  });
  const status = STATUSES[kind];
  if (status) return seen.transport === 'http' ? happens({ kind: 'http', ...status(faults) }) : null;
  if (kind === 'timeout') return happens({ kind: 'silence' });
  if (kind === 'reset') return happens({ kind: 'cut' });
  if (kind !== 'truncated_json') return null;
  return {
    garble: (text) => {
      faults.happened(kind);
      return text.slice(0, Math.max(1, Math.floor(text.length * faults.draw.uniform())));
    },
  };
}

/** Faults of how the answers to a batch come back, and refusals of all calls at once. */
export function reshapedBatch(kind: FaultKind, seen: SeenRequest, faults: Faults): Injection | null {
  if (kind === 'rate_limit_error') {
    return {
      answer: () => {
        throw rateRefusal(faults.draw);
      },
      garble: (text) => {
        faults.happened(kind);
        return text;
      },
    };
  }
  if (!seen.isBatch || seen.calls.length < 2) return null;
  const happens = (reshape: Injection['reshape'] & {}): Injection => ({
    reshape: (answers) => {
      faults.happened(kind);
      return reshape(answers);
    },
  });
  switch (kind) {
    case 'batch_out_of_order':
      return happens((answers) => answers.toReversed());
    case 'batch_as_object':
      return happens(() => failure(null, -32600, 'Invalid Request'));
    case 'batch_partly': {
      return happens((answers) => answers.toSpliced(faults.draw.below(answers.length), 1));
    }
    default:
      return null;
  }
}

function refusalBody({ code, message, data }: RpcError): string {
  return JSON.stringify(failure(null, code, message, data));
}
