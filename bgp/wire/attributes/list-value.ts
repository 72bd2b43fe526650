/**
 * Attributes whose value is a list of items of one size: how such a list is read and checked.
 *
 * Owns: that check. Must not know: which attribute.
 * Source: RFC 7606 sections 7.8, 7.10 and 7.14: the length must be a non-zero multiple of the item's.
 */
import type { ByteReader } from '../bytes.js';

/** @returns what is wrong, as text, where the length is zero or no multiple of `itemOctets`. */
export function readItems<T>(
  value: ByteReader,
  itemOctets: number,
  read: (value: ByteReader) => T,
): T[] | string {
  if (value.remaining === 0 || value.remaining % itemOctets !== 0) return `length ${value.remaining}`;
  const items: T[] = [];
  while (value.remaining > 0) items.push(read(value));
  return items;
}
