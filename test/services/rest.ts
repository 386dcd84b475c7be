/** A REST answer as a client sees it. */
export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are read by tests that know what they asked for
  readonly body: any;
}

/** Asks for a path below `/api`, with these parameters. */
export async function get(
  url: string,
  path: string,
  parameters: Record<string, string> = {},
  init: RequestInit = {},
): Promise<RestAnswer> {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(`${url}/api${path}${query && `?${query}`}`, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text ? JSON.parse(text) : text,
  };
}
