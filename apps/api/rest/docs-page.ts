import { createReadStream } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { pipeline } from 'node:stream/promises';

/** Answers what is the same for everyone. */
export type Page = (response: ServerResponse) => Promise<void> | void;

const require = createRequire(import.meta.url);

/** Everything comes from here: a page that tried to load something from elsewhere would be stopped by the browser. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Event Monitor: REST</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
`;

const start = `SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null, tryItOutEnabled: true, defaultModelsExpandDepth: 0 });
`;

/** The page to read about and try REST, and what it is made of; each by its path, so that a path never names a file. */
export function docsPages(): [path: string, page: Page][] {
  return [
    ['/api', redirect('/api/docs')],
    ['/api/', redirect('/api/docs')],
    ['/api/docs', text('text/html', html, { 'content-security-policy': policy })],
    ['/api/docs/start.js', text('text/javascript', start)],
    ['/api/docs/swagger-ui.css', file('text/css', require.resolve('swagger-ui-dist/swagger-ui.css'))],
    [
      '/api/docs/swagger-ui-bundle.js',
      file('text/javascript', require.resolve('swagger-ui-dist/swagger-ui-bundle.js')),
    ],
  ];
}

/** A document that doesn't change while the process runs. */
export function jsonPage(document: object): Page {
  return text('application/json', JSON.stringify(document));
}

function redirect(location: string): Page {
  return (response) => void response.writeHead(302, { location }).end();
}

function text(type: string, body: string, headers: Record<string, string> = {}): Page {
  const content = { 'content-type': `${type}; charset=utf-8`, 'content-length': Buffer.byteLength(body) };
  return (response) => void response.writeHead(200, { ...headers, ...content }).end(body);
}

function file(type: string, path: string): Page {
  return async (response) => {
    response.writeHead(200, {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'public, max-age=3600',
    });
    await pipeline(createReadStream(path), response);
  };
}
