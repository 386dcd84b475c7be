/** Host (and port) of a URL, for logs, status and metrics: keys in paths, queries and passwords stay out. */
export function urlHost(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return '(unreadable URL)';
  }
}
