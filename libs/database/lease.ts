/** Length of a leader's lease in seconds, by the database's clock (DESIGN §3.2); a candidate's announcement holds as long. */
export const LEASE_SECONDS = 10;
