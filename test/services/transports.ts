import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { Answer } from './api.js';

export type Transport = 'HTTP' | 'SSE' | 'WebSocket';
export const transports: readonly Transport[] = ['HTTP', 'SSE', 'WebSocket'];

interface Operation {
  readonly query: string;
  readonly variables?: object;
}

/** What a client hears first, over any transport: data, errors, or the code and reason of a close. */
export async function firstAnswer(
  url: string,
  transport: Transport,
  operation: Operation,
  key?: string,
): Promise<Answer> {
  if (transport === 'WebSocket') return overWebSocket(url, operation, key);
  const abort = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: transport === 'SSE' ? 'text/event-stream' : 'application/json',
      ...(key && { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify(operation),
    signal: abort.signal,
  });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    return (await response.json()) as Answer;
  try {
    return await firstEvent(response);
  } finally {
    abort.abort();
  }
}

/** The data of the first `next` event of a stream. */
async function firstEvent(response: Response): Promise<Answer> {
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const data = /^event: next\ndata: (.*)\n\n/m.exec(text);
    if (data) return JSON.parse(data[1]!) as Answer;
  }
  throw new Error(`the stream ended: ${text}`);
}

async function overWebSocket(url: string, operation: Operation, key?: string): Promise<Answer> {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    ...(key && { connectionParams: { authorization: `Bearer ${key}` } }),
  });
  try {
    for await (const answer of client.iterate({ ...operation, variables: { ...operation.variables } }))
      return answer as Answer;
    throw new Error('the operation ended without a word');
  } catch (error) {
    if (Array.isArray(error)) return { errors: error };
    const { code, reason } = error as { code?: number; reason?: string };
    if (code === undefined) throw error;
    return { errors: [{ message: `${code} ${reason}` }] };
  } finally {
    await client.dispose();
  }
}
