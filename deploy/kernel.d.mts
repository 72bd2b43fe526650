/** Why the running kernel cannot carry the lab (no ipip, no namespaces ...); undefined when it can. Needs root. */
export function kernelShortfall(): string | undefined;
