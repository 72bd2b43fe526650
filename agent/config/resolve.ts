/**
 * Flags, environment and settings file -> the settings of the agent, or every error at once.
 *
 * Owns: which source goes before which, and naming the source of a wrong value. Must not know: how a file is read.
 */
import { parseArgs } from 'node:util';
import {
  type ConfigError,
  checkValue,
  didYouMean,
  type LocatedDocument,
  type ManifestFile,
  nearest,
  readDocuments,
} from '../schema/index.js';
import {
  type AgentSettings,
  CONFIG_FLAG,
  CONFIG_VARIABLE,
  DEFAULT_CONFIG_FILE,
  SETTINGS,
  settingsSchema,
  VARIABLE_PREFIX,
} from './settings.js';

/** Environment variables as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that settings come from. */
export interface SettingsSources {
  /** The arguments after the subcommand. */
  readonly argv: readonly string[];
  readonly env: Environment;
  /** Absent: there is no settings file. */
  readonly file?: ManifestFile;
  /** The node name where none is set. */
  readonly hostname: string;
}

/** A warning names what was probably meant otherwise. */
export type SettingsResult =
  | { readonly settings: AgentSettings; readonly warnings: readonly ConfigError[] }
  | { readonly errors: readonly ConfigError[] };

/** The values of one source and how to point at one of them. */
interface Source {
  readonly values: Readonly<Record<string, unknown>>;
  readonly placeOf: (name: string) => Omit<ConfigError, 'message'>;
}

/** Later sources go before earlier ones; every error of what is in force, and of the flags and the file as such. */
export function resolveSettings({ argv, env, file, hostname }: SettingsSources): SettingsResult {
  const errors: ConfigError[] = [];
  const sources: Source[] = [
    { values: { nodeName: hostname }, placeOf: () => ({ path: 'host name' }) },
    ...(file === undefined ? [] : fileSource(file, errors)),
    environmentSource(env),
    flagSource(argv, errors),
  ];
  const values = new Map<string, unknown>();
  const sourceOf = new Map<string, Source>();
  for (const source of sources) {
    for (const [name, value] of Object.entries(source.values)) {
      values.set(name, value);
      sourceOf.set(name, source);
    }
  }
  const checked = checkValue(settingsSchema, Object.fromEntries(values));
  if ('faults' in checked) {
    for (const { path, message } of checked.faults) {
      const name = String(path[0]);
      errors.push({ ...(sourceOf.get(name)?.placeOf(name) ?? { path: name }), message });
    }
  } else if (errors.length === 0) {
    return { settings: checked.value, warnings: misspeltVariables(env) };
  }
  return { errors };
}

/** The settings file that flags and environment ask for; `isRequired`: it was named, so it must exist. */
export function settingsFilePath(
  argv: readonly string[],
  env: Environment,
): { readonly path: string; readonly isRequired: boolean; readonly origin: string } {
  const flag = readFlags(argv).values.get(CONFIG_FLAG);
  if (flag !== undefined) return { path: flag, isRequired: true, origin: `--${CONFIG_FLAG}` };
  const variable = env[CONFIG_VARIABLE];
  if (variable !== undefined && variable !== '') {
    return { path: variable, isRequired: true, origin: CONFIG_VARIABLE };
  }
  return { path: DEFAULT_CONFIG_FILE, isRequired: false, origin: '' };
}

function fileSource(file: ManifestFile, errors: ConfigError[]): Source[] {
  const { documents, errors: syntaxErrors } = readDocuments(file);
  errors.push(...syntaxErrors);
  const [document, second] = documents;
  if (second !== undefined) {
    errors.push({
      file: file.path,
      line: second.lineOf([]),
      path: '',
      message: 'is a second document; the settings of an agent are one',
    });
  }
  return document === undefined ? [] : [documentSource(document)];
}

function documentSource({ file, value, lineOf }: LocatedDocument): Source {
  return { values: value, placeOf: (name) => ({ file, line: lineOf([name]), path: name }) };
}

/** An empty variable is no value, as systemd and container runtimes pass them. */
function environmentSource(env: Environment): Source {
  const variables = new Map<string, string>(SETTINGS.map(({ name, variable }) => [name, variable]));
  const values = SETTINGS.flatMap(({ name, variable }) => {
    const value = env[variable];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  return {
    values: Object.fromEntries(values),
    placeOf: (name) => ({ path: variables.get(name) ?? name }),
  };
}

/** Kubernetes sets variables such as PODROUTE_PORT by itself, so an unknown one is a warning, and only if it is near. */
function misspeltVariables(env: Environment): ConfigError[] {
  const known = [...SETTINGS.map(({ variable }) => variable), CONFIG_VARIABLE];
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith(VARIABLE_PREFIX) || known.includes(name)) return [];
    const guess = known.find((variable) => isNear(variable, name));
    return guess === undefined
      ? []
      : [{ path: name, message: `is an unknown variable; did you mean "${guess}"?` }];
  });
}

/** Compared without the prefix, which would make any two of our variables look alike. */
function isNear(variable: string, name: string): boolean {
  const rest = (word: string) => word.slice(VARIABLE_PREFIX.length);
  return nearest(rest(name), [rest(variable)]) !== undefined;
}

function flagSource(argv: readonly string[], errors: ConfigError[]): Source {
  const { values, errors: flagErrors } = readFlags(argv);
  errors.push(...flagErrors);
  const flags = new Map<string, string>(SETTINGS.map(({ name, flag }) => [name, flag]));
  const settings = SETTINGS.flatMap(({ name, flag }) => {
    const value = values.get(flag);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    values: Object.fromEntries(settings),
    placeOf: (name) => ({ path: `--${flags.get(name) ?? name}` }),
  };
}

/** All flags and all errors; `parseArgs` in its strict form would stop at the first. */
function readFlags(argv: readonly string[]): {
  readonly values: ReadonlyMap<string, string>;
  readonly errors: readonly ConfigError[];
} {
  const known = [...SETTINGS.map(({ flag }) => flag), CONFIG_FLAG];
  const values = new Map<string, string>();
  const errors: ConfigError[] = [];
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(known.map((flag) => [flag, { type: 'string' as const }])),
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === 'positional') {
      errors.push({ path: token.value, message: 'is an unexpected argument; settings are flags' });
    } else if (token.kind === 'option') {
      const { name, rawName, value, inlineValue } = token;
      if (!known.includes(name)) {
        errors.push({ path: rawName, message: `is an unknown flag${didYouMean(name, known)}` });
      } else if (value === undefined || (!inlineValue && value.startsWith('--'))) {
        errors.push({ path: rawName, message: `needs a value; write it like ${rawName}=VALUE` });
      } else {
        values.set(name, value);
      }
    }
  }
  return { values, errors };
}
