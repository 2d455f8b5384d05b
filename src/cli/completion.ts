/** `hobble completion`: what a shell needs to complete the command, made from its own definition, so that it is never out of date. */
import type { Command, Option } from "commander";
import { HobbleError } from "../errors.js";
import { print } from "./streams.js";

const help = `
Examples:
  hobble completion bash > /usr/share/bash-completion/completions/hobble
  hobble completion zsh > /usr/share/zsh/site-functions/_hobble
  hobble completion fish > /usr/share/fish/vendor_completions.d/hobble.fish
`;

export function completionCommand(program: Command): void {
  program
    .command("completion")
    .summary("print the completion for a shell")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText("after", help)
    .action((shell: string) => {
      const write = shell === "bash" ? bash : shell === "zsh" ? zsh : shell === "fish" ? fish : undefined;
      if (write === undefined) throw new HobbleError("EINVAL", `the shell must be bash, zsh or fish, not ${JSON.stringify(shell)}`);
      print(write(subcommands(program)));
    });
}

interface Subcommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly Option[];
  readonly files: boolean;
}

function subcommands(program: Command): Subcommand[] {
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary() || command.description(),
    options: command.options.filter((option) => !option.hidden),
    files: command.registeredArguments.some((argument) => argument.name() === "file"),
  }));
}

const flagsOf = ({ short, long }: Option): string[] => [short, long].filter((flag) => flag !== undefined);
/** Options whose value is a path. */
const takesFile = ({ flags }: Option): boolean => /<(file|path|directory|executable)/.test(flags);

function bash(commands: readonly Subcommand[]): string {
  const cases = commands.map(({ name, options }) => `    ${name}) words="${options.flatMap(flagsOf).join(" ")} --help" ;;`);
  const files = [...new Set(commands.flatMap(({ options }) => options.filter(takesFile).flatMap(flagsOf)))];
  const taking = commands.filter((command) => command.files).map(({ name }) => name);
  return `# bash completion for hobble
_hobble() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words
  case $previous in
    ${files.join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} --help --version" -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
    *) return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case \${COMP_WORDS[1]} in
    ${taking.join("|")}) [ "\${current#-}" = "$current" ] && COMPREPLY+=($(compgen -f -- "$current")) ;;
    show|rm) [ "\${current#-}" = "$current" ] && COMPREPLY+=($(compgen -W "$(hobble ls 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$current")) ;;
    completion) COMPREPLY+=($(compgen -W "bash zsh fish" -- "$current")) ;;
  esac
}
complete -F _hobble hobble
`;
}

function zsh(commands: readonly Subcommand[]): string {
  const quoted = (text: string) => text.replaceAll("'", "'\\''").replaceAll("[", "(").replaceAll("]", ")").replaceAll(":", "\\:");
  const cases = commands.map(({ name, options, files }) => {
    const specs = options.flatMap((option) => {
      const value = option.required || option.optional ? (takesFile(option) ? ":file:_files" : ":value:") : "";
      return flagsOf(option).map((flag) => `'${flag}[${quoted(option.description)}]${value}'`);
    });
    const rest = files ? ["'*:file:_files'"] : name === "completion" ? ["'1:shell:(bash zsh fish)'"] : [];
    return `    ${name}) _arguments ${[...specs, ...rest].join(" ")} ;;`;
  });
  const described = commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`);
  return `#compdef hobble
_hobble() {
  local -a commands
  commands=(
${described.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
# From a folder in $fpath it is this function's body; when it is sourced it only makes itself known.
if [[ $funcstack[1] == _hobble ]]; then
  _hobble "$@"
else
  compdef _hobble hobble
fi
`;
}

function fish(commands: readonly Subcommand[]): string {
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap(({ name, summary, options, files }) => {
    const of = `complete -c hobble -n '__fish_seen_subcommand_from ${name}'`;
    const flags = options.map((option) => {
      const short = option.short === undefined ? "" : ` -s ${option.short.slice(1)}`;
      const long = option.long === undefined ? "" : ` -l ${option.long.slice(2)}`;
      const value = option.required || option.optional ? (takesFile(option) ? " -r -F" : " -x") : "";
      return `${of}${short}${long}${value} -d ${quoted(option.description)}`;
    });
    const rest = files ? [`${of} -F`] : name === "completion" ? [`${of} -a 'bash zsh fish'`] : [];
    return [`complete -c hobble -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`, ...flags, ...rest];
  });
  return `# fish completion for hobble\ncomplete -c hobble -f\n${lines.join("\n")}\n`;
}
