/** How often a test tries what must never fail: `HOBBLE_ROUNDS=100 npx vitest run test/30 test/42` for a soak. */
export const rounds = Number(process.env.HOBBLE_ROUNDS ?? 5);
export const roundsTimeoutMs = 20_000 + rounds * 2000;
