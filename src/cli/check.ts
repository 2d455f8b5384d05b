/** `hobble check`: what is wrong with a configuration, and what it would do now. */
import type { Command } from "commander";
import type { DryMatch } from "../daemon/dry-run.js";
import { formatProblem } from "./configuration-problems.js";
import { ExitCode } from "./exit.js";
import { plural } from "./output.js";
import { print, printError, printJson } from "./streams.js";
import { harmless } from "./target-text.js";

const help = `
Nothing is touched: it looks at what runs, twice where a rule asks for a share of the CPU, and says which rule would take hold of what.

Exit codes:
  0  the configuration is good
  1  it has errors; each is told with file, line and column
  2  usage`;

export function checkCommand(program: Command): void {
  program
    .command("check")
    .summary("check a configuration, and say what it would do now")
    .argument("<file>", "the configuration; conf.d/*.toml beside it belong to it")
    .option("--json", "one JSON object")
    .addHelpText("after", help)
    .action(check);
}

async function check(file: string, { json }: { json?: true }): Promise<void> {
  // Only when it is needed: parsing TOML and patterns would cost every other command 60 ms.
  const [{ loadConfiguration }, { dryRun }] = await Promise.all([import("../rules/configuration.js"), import("../daemon/dry-run.js")]);
  const { configuration, problems } = await loadConfiguration(file);
  if (configuration === undefined) {
    if (json) printJson({ good: false, problems });
    else for (const problem of problems) printError(formatProblem(problem));
    process.exitCode = ExitCode.failure;
    return;
  }
  const { ruleSet, quotas, files } = configuration;
  const { matches, processes, hidden } = await dryRun(configuration);
  if (json) {
    printJson({ good: true, problems: [], files, rules: ruleSet.rules.length, quotas: quotas.length, processes, hidden, matches });
    return;
  }
  const lines = [`${files.join(", ")}: good; ${plural(ruleSet.rules.length, "rule")}, ${plural(quotas.length, "quota")}`];
  for (const { name, mode } of ruleSet.rules) {
    const those = matches.filter(({ rule }) => rule === name);
    lines.push(
      `${harmless(name)}${mode === "watch" ? " (only watches)" : ""}: ${those.length === 0 ? "matches nothing now" : `matches ${those.length} now`}`,
    );
    lines.push(...those.slice(0, mostNamed).map(matchLine));
    if (those.length > mostNamed) lines.push(`  … and ${those.length - mostNamed} more (--json lists all)`);
  }
  print(`${lines.join("\n")}\n`);
}

/** As many processes of a rule as one can take in. */
const mostNamed = 10;

function matchLine({ pid, user, name, reason, waits }: DryMatch): string {
  return `  ${pid} ${harmless(name)} (${harmless(user)}): ${harmless(reason)}${waits === null ? "" : `; would wait: ${waits}`}`;
}
