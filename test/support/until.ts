/**
 * Waiting for a state of another program that announces no events.
 */

const POLL_MS = 50;

/**
 * Asks until the answer is neither undefined nor false; a question that throws is asked again.
 * @throws after `timeoutMs`, with what was waited for and what happened last
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  timeoutMs = 20_000,
  pollMs = POLL_MS,
): Promise<Exclude<T, undefined | false>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline)
      throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}; last: ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
