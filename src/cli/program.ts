// The command line: commands, their options, and what becomes of errors.

import yargs from 'yargs';
import { ControlError } from '../daemon/control/client.ts';
import { DEFAULT_URI } from '../daemon/control/uri.ts';
import { builtAt, OLDEST_NODE, VERSION } from './about.ts';
import { admin } from './commands/admin.ts';
import { counters } from './commands/counters.ts';
import { down } from './commands/down.ts';
import { log } from './commands/log.ts';
import { rekey } from './commands/rekey.ts';
import { reload } from './commands/reload.ts';
import { status } from './commands/status.ts';
import { statusall } from './commands/statusall.ts';
import { up } from './commands/up.ts';
import { version } from './commands/version.ts';
import { why } from './commands/why.ts';
import { DONE, FAILED, type Io, USAGE, UsageError } from './io.ts';
import { CONTROL, configFiles, DAEMON, DOCTOR, daemonOptions, hostOptions, JSON_OUTPUT, PROFILE } from './options.ts';

const CLIENT = { control: CONTROL, json: JSON_OUTPUT } as const;

const MORE = '"espalier --help" and "espalier COMMAND --help" tell more.';
const NAME = 'a connection (all its children) or one child';

/** Runs one command line. Resolves to the exit code: 0 done, 1 failed, 2 wrong usage or configuration. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const asked = { json: false };
  try {
    return await parse(args, io, asked);
  } catch (error) {
    return explain(error, io, asked.json);
  }
}

/** `asked` is what is known of the command line by the time that something fails. */
async function parse(args: readonly string[], io: Io, asked: { json: boolean }): Promise<number> {
  let code = DONE;
  const client = (argv: { readonly control: string | undefined; readonly json: boolean }) => {
    asked.json = argv.json;
    return { control: argv.control ?? DEFAULT_URI, json: argv.json };
  };
  const does = async (command: Promise<number>) => {
    code = await command;
  };
  await yargs()
    .scriptName('espalier')
    .usage('$0 COMMAND\n\nAn IPsec gateway in user space.')
    .parserConfiguration({ 'boolean-negation': false, 'greedy-arrays': false, 'parse-numbers': false })
    .detectLocale(false)
    .command(
      'daemon',
      'run the gateway in the foreground',
      (cli) => cli.options(DAEMON),
      async (argv) => {
        const options = daemonOptions(argv);
        // Before the daemon itself is read: it is likely to be started anew.
        const { shedPrivileges } = await import('../daemon/privileges.ts');
        const why = shedPrivileges(options);
        if (why !== undefined) {
          io.err(`espalier: ${why}`);
          code = FAILED;
          return;
        }
        const { runDaemon } = await import('../daemon/run.ts');
        await does(runDaemon(options));
      },
    )
    .command(
      'status [name]',
      'show the state of connections and children; with a NAME also why it is not up',
      (cli) => cli.positional('name', { type: 'string', describe: NAME }).options(CLIENT),
      (argv) => does(status({ ...client(argv), name: argv.name }, io)),
    )
    .command(
      'statusall [name]',
      'all that the daemon tells of itself, in the text form of strongSwan\'s "ipsec statusall"',
      (cli) => cli.positional('name', { type: 'string', describe: 'a connection or a child' }).options(CLIENT),
      (argv) => does(statusall({ ...client(argv), name: argv.name }, io)),
    )
    .command(
      'up <name>',
      'bring up a connection or a child, showing progress until it is connected or has failed',
      (cli) =>
        cli
          .positional('name', { type: 'string', describe: NAME, demandOption: true })
          .options(CLIENT)
          .option('no-wait', { type: 'boolean', default: false, describe: 'begin, and return at once' })
          .option('timeout', {
            type: 'string',
            requiresArg: true,
            default: '0',
            describe: 'seconds to wait; 0 until it is up or has failed',
            coerce: seconds,
          }),
      (argv) => does(up({ ...client(argv), name: argv.name, wait: !argv['no-wait'], timeout: argv.timeout }, io)),
    )
    .command(
      'down <name>',
      'take down a connection or a child',
      (cli) => cli.positional('name', { type: 'string', describe: NAME, demandOption: true }).options(CLIENT),
      (argv) => does(down({ ...client(argv), name: argv.name }, io)),
    )
    .command(
      'rekey <name>',
      'make new keys: for a child, or for a connection and all of its children',
      (cli) => cli.positional('name', { type: 'string', describe: NAME, demandOption: true }).options(CLIENT),
      (argv) => does(rekey({ ...client(argv), name: argv.name }, io)),
    )
    .command(
      'why <name>',
      'say what went wrong last with a connection or a child, with the evidence and what to change',
      (cli) => cli.positional('name', { type: 'string', describe: NAME, demandOption: true }).options(CLIENT),
      (argv) => does(why({ ...client(argv), name: argv.name }, io)),
    )
    .command(
      'admin <status> <name>',
      'set the management status, which restarts keep: down refuses the peer and takes the routes away',
      (cli) =>
        cli
          .positional('status', { choices: ['up', 'down'] as const, demandOption: true })
          .positional('name', { type: 'string', describe: NAME, demandOption: true })
          .options(CLIENT),
      (argv) => does(admin({ ...client(argv), status: argv.status, name: argv.name }, io)),
    )
    .command(
      'log [name]',
      "follow the daemon's log; with a NAME only what concerns that connection",
      (cli) => cli.positional('name', { type: 'string', describe: 'a connection' }).options(CLIENT),
      (argv) => does(log({ ...client(argv), name: argv.name }, io)),
    )
    .command(
      'reload',
      'read the configuration files anew; what they do not change goes on undisturbed',
      (cli) => cli.options(CLIENT),
      (argv) => does(reload(client(argv), io)),
    )
    .command(
      'check',
      'read the configuration without starting anything, and say what is wrong with it',
      (cli) =>
        cli
          .options({ config: DAEMON.config, secrets: DAEMON.secrets, profile: PROFILE, json: JSON_OUTPUT })
          .option('options', {
            type: 'boolean',
            default: false,
            describe: 'read nothing: count the options that are honoured, and with --json name them',
          }),
      async (argv) => {
        // Both read the languages of configuration, which the other commands need not wait for.
        if (argv.options) {
          const { options } = await import('./commands/options.ts');
          code = options(argv, io);
          return;
        }
        const { check } = await import('./commands/check.ts');
        const { secrets, profile, json } = argv;
        code = check({ config: configFiles(argv.config), secrets, profile, json }, io);
      },
    )
    .command(
      'doctor',
      'look at this host and say what it lacks, with the command that mends it',
      (cli) =>
        cli
          .options({ ...DOCTOR, json: JSON_OUTPUT })
          .option('all', { type: 'boolean', default: false, describe: 'what is in order, too' }),
      async (argv) => {
        const { doctor } = await import('./commands/doctor.ts');
        const asked = { json: argv.json, all: argv.all };
        await does(doctor({ ...hostOptions(argv), oldestNode: OLDEST_NODE, built: builtAt(), ...asked }, io));
      },
    )
    .command(
      'counters',
      'show what was counted since the daemon started: messages and packets that went no further, and why',
      (cli) => cli.options(CLIENT).option('all', { type: 'boolean', default: false, describe: 'zeros too' }),
      (argv) => does(counters({ ...client(argv), all: argv.all }, io)),
    )
    .command(
      'version',
      'print the versions of this program and of the daemon',
      (cli) => cli.options(CLIENT),
      (argv) => does(version(client(argv), io)),
    )
    .demandCommand(1, 1, 'name a command', 'one command at a time')
    .strict()
    .recommendCommands()
    .version(VERSION)
    .help()
    .alias('help', 'h')
    .epilogue('Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.')
    .wrap(Math.min(io.width ?? 100, 120))
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(plain(message));
    })
    .parseAsync([...args], {}, (_error, _argv, output) => {
      if (output) io.out(output);
    });
  return code;
}

/** What yargs finds wrong, in words that name what is missing. */
function plain(message: string): string {
  if (message.startsWith('Not enough non-option arguments')) return 'the NAME of a connection or a child is missing';
  return message
    .replace(/^Unknown arguments?:/, 'unknown command or option:')
    .replace(/^Did you/, 'unknown command; did you');
}

function seconds(value: unknown): number {
  if (typeof value === 'string' && /^\d{1,6}(\.\d{1,3})?$/.test(value)) return Number(value);
  throw new UsageError(`--timeout: "${String(value)}" is not a number of seconds`);
}

function explain(error: unknown, io: Io, json: boolean): number {
  if (json && (error instanceof UsageError || error instanceof ControlError)) {
    const code = error instanceof UsageError ? 'usage' : error.code;
    io.out(JSON.stringify({ ok: false, reason: { code, text: error.message } }, undefined, 2));
    return code === 'usage' || code === 'bad-uri' ? USAGE : FAILED;
  }
  if (error instanceof UsageError || (error instanceof ControlError && error.code === 'bad-uri')) {
    io.err(`espalier: ${error.message}`);
    io.err(MORE);
    return USAGE;
  }
  if (error instanceof ControlError) {
    io.err(`espalier: ${error.message}`);
    return FAILED;
  }
  // yargs has a class of its own for what it finds wrong before a command runs.
  if (error instanceof Error && error.name === 'YError') {
    io.err(`espalier: ${error.message.replace(/^Not enough arguments following: (\S+)$/, '--$1 needs a value')}`);
    io.err(MORE);
    return USAGE;
  }
  io.err(`espalier: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return FAILED;
}
