/** nftables in memory: the table of a text is "printed" as that text. */
import { NftError, type NftErrorCode, type RuleSets } from '../../ipip/kernel/nft.js';

export class FakeRuleSets implements RuleSets {
  readonly tables = new Map<string, string>();
  readonly applied: string[] = [];
  /** What every call fails with. */
  failure: NftErrorCode | undefined;

  async apply(text: string): Promise<void> {
    this.#failIfAsked();
    const family = text.includes('table ip6 ') ? 'ip6' : 'ip';
    this.applied.push(text);
    if (text.includes('{')) this.tables.set(family, text);
    else this.tables.delete(family);
  }

  async list(family: string): Promise<string | undefined> {
    this.#failIfAsked();
    return this.tables.get(family);
  }

  #failIfAsked(): void {
    if (this.failure !== undefined) throw new NftError(this.failure, `because of ${this.failure}`);
  }
}
