/** Content negotiation between the two forms of an answer, JSON and a text table. Pure. Source: RFC 9110 section 12.5.1. */

/**
 * True where the client likes `text/plain` better than `application/json`. JSON wins a tie, so the default header of
 * curl and of browsers gets JSON.
 * @param header the value of `Accept`; absent: anything
 */
export function prefersText(header: string | undefined): boolean {
  if (header === undefined) return false;
  const ranges = header.split(',').map(parseRange);
  return quality(ranges, 'text/plain') > quality(ranges, 'application/json');
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return { type, quality: weight === undefined ? 1 : Number(weight.slice(2)) || 0 };
}

/** The most specific range that covers the type decides. */
function quality(ranges: readonly MediaRange[], type: string): number {
  const covering = [type, `${type.split('/')[0]}/*`, '*/*'];
  const range = covering.map((pattern) => ranges.find((r) => r.type === pattern)).find(Boolean);
  return range?.quality ?? 0;
}
