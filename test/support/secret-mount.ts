/**
 * A Secret as Kubernetes mounts it: a folder with a link for each key into a folder of values, which is replaced as a
 * whole when the values are rotated.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class SecretMount {
  /** The folder that is called like the Secret. */
  readonly folder: string;
  readonly #key: string;
  #version = 0;

  constructor(mounts: string, name: string, key: string) {
    this.folder = join(mounts, name);
    this.#key = key;
  }

  /** Where a program reads the key. */
  get path(): string {
    return join(this.folder, this.#key);
  }

  /** As the kubelet does it: the value in a new folder, to which the link `..data` is turned in one step. */
  rotate(value: string): void {
    this.#version += 1;
    const next = `..2026_${this.#version}`;
    mkdirSync(join(this.folder, next), { recursive: true });
    writeFileSync(join(this.folder, next, this.#key), value);
    symlinkSync(next, join(this.folder, '..data_tmp'));
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'));
    if (this.#version === 1) symlinkSync(join('..data', this.#key), this.path);
    else rmSync(join(this.folder, `..2026_${this.#version - 1}`), { recursive: true });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
    this.#version = 0;
  }
}
