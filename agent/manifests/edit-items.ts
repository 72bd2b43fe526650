/**
 * Items of a list in a text of YAML: changed or cut out by themselves.
 *
 * Owns: where an item begins and ends, comments included. Must not know: how a resource is written, files.
 */
import { Composer, CST, isCollection, Parser } from 'yaml';
import type { Edit } from './edit-file.js';
import type { Manifest } from './manifest.js';

type ListToken = CST.BlockSequence | CST.FlowCollection;

/** Offsets in the text. */
interface Place {
  readonly from: number;
  readonly value: number;
  readonly to: number;
}

/** A resource written anew, as a document of its own. */
export type Rewrite = (text: string, before: Manifest, after: Manifest) => string;

/** An edit with the list that its item is in. */
interface ItemEdit extends Edit {
  readonly list: ListToken;
  readonly index: number;
}

/** @returns the text as it was where it is beyond our means: the caller sees that it does not say what it should */
export function editItems(text: string, edits: readonly Edit[], rewrite: Rewrite): string {
  const [root] = new Composer({ keepSourceTokens: true, logLevel: 'error' }).compose(
    new Parser().parse(text),
  );
  const items = edits.flatMap((edit): ItemEdit[] => {
    const { path } = edit.document;
    const node = root?.getIn(path.slice(0, -1), true);
    const list = isCollection(node) ? node.srcToken : undefined;
    return list?.type === 'block-seq' || list?.type === 'flow-collection'
      ? [{ ...edit, list, index: Number(path.at(-1)) }]
      : [];
  });
  if (isEmptied(items)) return '';
  const places = items.flatMap((item) => {
    const place = placeOf(text, item, items);
    return place === undefined ? [] : [{ ...item, ...place }];
  });
  if (places.length < edits.length) return text;
  // From the end, so that what changes moves nothing that is still to come.
  return places
    .sort((a, b) => b.from - a.from)
    .reduce((result, { document, manifest, from, value, to }) => {
      const [before, after] = [result.slice(0, from), result.slice(to)];
      if (manifest === undefined) return `${before}${after}`;
      const own = result.slice(value, to);
      const margin = ' '.repeat(value - lineStart(result, value));
      const lines = rewrite(own.replaceAll(`\n${margin}`, '\n'), document.value, manifest);
      const whole = (own.endsWith('\n') ? lines : lines.trimEnd()).replace(/\n(?=[^\n])/g, `\n${margin}`);
      return `${before}${result.slice(from, value)}${whole}${after}`;
    }, text);
}

/** A list without items would be something else; without its document nothing is said at all. */
function isEmptied(items: readonly ItemEdit[]): boolean {
  const gone = items.filter(({ manifest, document }) => manifest === undefined && document.path.length === 2);
  const [first] = gone;
  return first !== undefined && gone.length === first.list.items.filter(({ value }) => value != null).length;
}

function placeOf(text: string, item: ItemEdit, items: readonly ItemEdit[]): Place | undefined {
  const { list, index } = item;
  if (list.type === 'block-seq') return placeInBlock(text, list, index);
  const gone = new Set(
    items.filter((other) => other.list === list && !other.manifest).map((other) => other.index),
  );
  const isLeading = Array.from({ length: index }, (_, at) => at).every((at) => gone.has(at));
  return placeInFlow(list, index, gone.has(index) ? (isLeading ? 'behind' : 'before') : 'none');
}

/** Whole lines, from the dash on. */
function placeInBlock(text: string, list: CST.BlockSequence, index: number): Place | undefined {
  const value = list.items[index]?.value;
  const dash = dashOf(list, index);
  if (value == null || dash === undefined) return undefined;
  const from = lineStart(text, dash);
  if (text.slice(from, dash).trim() !== '') return undefined;
  const next = dashOf(list, index + 1);
  const end = next === undefined ? list.offset + CST.stringify(list).length : lineStart(text, next);
  const own = withoutForeignEnd(text.slice(from, end), dash - from);
  return { from, value: value.offset, to: from + own.length };
}

function dashOf(list: CST.BlockSequence, index: number): number | undefined {
  return list.items[index]?.start.find(({ type }) => type === 'seq-item-ind')?.offset;
}

/** Comments that stand where the dash stands are of what follows; so is an indentation without anything. */
function withoutForeignEnd(text: string, dashColumn: number): string {
  const lines = text.split(/(?<=\n)/);
  let end = lines.length;
  for (let at = lines.length - 1; at > 0; at--) {
    const line = lines[at] ?? '';
    const [, margin = '', letter = ''] = /^( *)(\S?)/.exec(line) ?? [];
    if (letter !== '' && letter !== '#') break;
    if (letter === '#' ? margin.length <= dashColumn : !line.endsWith('\n')) end = at;
  }
  return lines.slice(0, end).join('');
}

/** @param comma which one goes with the item: the first one that stays has none before it */
function placeInFlow(
  list: CST.FlowCollection,
  index: number,
  comma: 'before' | 'behind' | 'none',
): Place | undefined {
  const item = list.items[index];
  if (item?.value == null) return undefined;
  const value = item.value.offset;
  const end = value + CST.stringify(item.value).length;
  const before = item.start.find(({ type }) => type === 'comma')?.offset;
  const behind = list.items[index + 1]?.start.find(({ type }) => type === 'comma')?.offset;
  return {
    from: comma === 'before' ? (before ?? value) : value,
    value,
    to: comma === 'behind' && behind !== undefined ? behind + 1 : end,
  };
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}
