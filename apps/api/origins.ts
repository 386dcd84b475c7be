/** Origins that browsers may call from; `localhost`: any page of this machine. */
export type AllowedOrigins = readonly string[] | 'localhost';

/** Whether a page of this origin may call (the value of a request's `Origin` header). */
export function isAllowed(origin: string, allowed: AllowedOrigins): boolean {
  if (allowed === 'localhost') return /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin);
  return allowed.includes(origin) || allowed.includes('*');
}
