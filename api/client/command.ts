/**
 * What a command of the CLI is: a row of a table, from which its arguments are parsed and its help is written.
 *
 * Owns: parsing, `--help`, `--version`, usage errors, exit statuses. Must not know: any particular command. Whoever adds
 * a command (the agent, for its own) writes a `Command` and calls `runCommand`.
 */
import { parseArgs } from 'node:util';

/** The exit statuses of all commands. */
export const EXIT = {
  ok: 0,
  /** The agent answered, and something is not right. */
  attention: 1,
  /** The command line, the configuration or the question is wrong. */
  usage: 2,
  /** No agent answers. */
  unreachable: 3,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Where a command reads and writes; `process` fits. */
export interface CliIo {
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface CliOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal. */
  readonly columns?: number;
}

export interface CommandOption {
  readonly short?: string;
  /** The word that stands for the value in the help; absent: a switch. */
  readonly value?: string;
  /** It may be given several times; its value is a list. */
  readonly isRepeatable?: true;
  readonly help: string;
}

/** Values by option name; switches are booleans. */
export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface Command<Hooks = unknown> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Further lines of its help, before the options. */
  readonly details?: readonly string[];
  /** The one optional argument, as shown in the help; absent: the command takes none. */
  readonly argument?: string;
  /** How many more it takes after that one. */
  readonly moreArguments?: number;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** What each exit status means for this command. */
  readonly exits: readonly (readonly [status: ExitStatus, meaning: string])[];
  /** @throws {UsageError} where a value is wrong */
  run(
    values: OptionValues,
    argument: string | undefined,
    io: CliIo,
    hooks: Hooks,
    more: readonly string[],
  ): Promise<ExitStatus>;
}

/** The command line is wrong; the message is one sentence. */
export class UsageError extends Error {
  readonly code = 'USAGE';
}

const COMMON_OPTIONS = {
  help: { short: 'h', help: 'show this text' },
  version: { help: 'show the version' },
} as const satisfies Record<string, CommandOption>;

/**
 * Parses `argv` (without the command's name) and runs the command; answers `--help` and `--version` itself.
 * @returns the exit status; usage errors are printed, everything else that a command throws is passed on
 */
export async function runCommand<Hooks extends { readonly version: string }>(
  command: Command<Hooks>,
  argv: readonly string[],
  io: CliIo,
  hooks: Hooks,
): Promise<ExitStatus> {
  try {
    const { values, argument, more } = parse(command, argv);
    if (values['help']) {
      io.stdout.write(renderHelp(command));
      return EXIT.ok;
    }
    if (values['version']) {
      io.stdout.write(`podroute ${hooks.version}\n`);
      return EXIT.ok;
    }
    return await command.run(values, argument, io, hooks, more);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr.write(`podroute ${command.name}: ${error.message}\n`);
    io.stderr.write(`Try: podroute ${command.name} --help\n`);
    return EXIT.usage;
  }
}

/** The help of one command, from its row. */
export function renderHelp(command: Command<never>): string {
  const options = Object.entries<CommandOption>({ ...command.options, ...COMMON_OPTIONS }).map(
    ([name, { short, value, help }]) => [
      `${short === undefined ? '   ' : `-${short},`} --${name}${value === undefined ? '' : ` ${value}`}`,
      help,
    ],
  );
  const exits = command.exits.map(([status, meaning]) => [String(status), meaning]);
  const usage = [
    'podroute',
    command.name,
    '[OPTIONS]',
    ...(command.argument ? [`[${command.argument}]`] : []),
  ];
  return [
    `Usage: ${usage.join(' ')}`,
    '',
    command.summary,
    '',
    ...(command.details === undefined ? [] : [...command.details, '']),
    'Options:',
    ...indent(options),
    '',
    'Exit status:',
    ...indent(exits),
    '',
  ].join('\n');
}

function parse(command: Command<never>, argv: readonly string[]) {
  const options = Object.entries<CommandOption>({ ...command.options, ...COMMON_OPTIONS }).map(
    ([name, { short, value, isRepeatable = false }]) => [
      name,
      {
        type: value === undefined ? 'boolean' : 'string',
        multiple: isRepeatable,
        ...(short !== undefined && { short }),
      } as const,
    ],
  );
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: Object.fromEntries(options) as Record<
        string,
        { type: 'string' | 'boolean'; multiple: boolean; short?: string }
      >,
      allowPositionals: true,
    });
    const [argument, ...extra] = positionals;
    const { moreArguments = 0 } = command;
    const unexpected = command.argument === undefined ? argument : extra[moreArguments];
    if (unexpected !== undefined && !values['help']) {
      throw new UsageError(`unexpected argument "${unexpected}"`);
    }
    return { values: values as OptionValues, argument, more: extra };
  } catch (error) {
    if (!isParseArgsError(error)) throw error;
    throw new UsageError(error.message.split('. ', 1)[0] ?? error.message); // what follows is advice for `--`
  }
}

function isParseArgsError(error: unknown): error is Error {
  return (
    error instanceof TypeError &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('ERR_PARSE_ARGS_')
  );
}

function indent(rows: readonly (readonly string[])[]): string[] {
  const width = Math.max(...rows.map(([left = '']) => left.length));
  return rows.map(([left = '', right = '']) => `  ${left.padEnd(width)}  ${right}`);
}
