/** nftables in memory: the table of a text is "printed" as that text. */
import { NftError, type NftErrorCode, type RuleSets } from '../../ipip/kernel/nft.js';
import { NAT_TABLE } from '../../ipip/nat-rules.js';

function keyOf(family: string, name: string): string {
  return name === NAT_TABLE ? family : `${family} ${name}`;
}

export class FakeRuleSets implements RuleSets {
  /** `ip` and `ip6` are the tables that stay; others have their name behind it. */
  readonly tables = new Map<string, string>();
  readonly applied: string[] = [];
  /** What every call fails with. */
  failure: NftErrorCode | undefined;

  async apply(text: string): Promise<void> {
    this.#failIfAsked();
    const [, family = '', name = ''] = /^add table (\S+) (\S+)$/m.exec(text) ?? [];
    this.applied.push(text);
    if (text.includes('{')) this.tables.set(keyOf(family, name), text);
    else this.tables.delete(keyOf(family, name));
  }

  async list(family: string, name: string): Promise<string | undefined> {
    this.#failIfAsked();
    return this.tables.get(keyOf(family, name));
  }

  #failIfAsked(): void {
    if (this.failure !== undefined) throw new NftError(this.failure, `because of ${this.failure}`);
  }
}
