/** `hobble explain`: why a process is hobbled, or not. */
import type { Command } from "commander";
import type { Explanation, QuotaStanding, RuleTrial } from "../daemon/supervisor.js";
import { parsePid } from "./cycle-options.js";
import { addClientOptions, type ClientFlags, withClient } from "./daemon-client.js";
import { formatFacts } from "./output.js";
import { print, printJson } from "./streams.js";
import { formatDecision, formatMoment, harmless, targetFacts } from "./target-text.js";

export function explainCommand(program: Command): void {
  const command = program
    .command("explain")
    .summary("say why a process is hobbled, or not")
    .description("Says which rules were tried on a process, which condition failed, since when, and what happened to it.")
    .argument("<pid>", "the process");
  addClientOptions(command).action(async (word: string, flags: ClientFlags) => {
    const pid = parsePid(word);
    const explanation = await withClient(flags, (client) => client.explain(pid));
    if (flags.json) printJson(explanation);
    else print(`${explanationLines(explanation).join("\n")}\n`);
  });
}

function explanationLines({ pid, name, user, target, protected: refusal, rules, quotas, history }: Explanation): string[] {
  const runsFreely = [`process ${pid} ${harmless(name)} of ${harmless(user)} runs freely`];
  return [
    ...(target === null ? runsFreely : formatFacts(targetFacts(target))),
    ...(refusal === null ? [] : [`it can never be hobbled: ${harmless(refusal)}`]),
    ...section("rules, in the order they were tried", rules.map(trialLine)),
    ...section("quotas", quotas.map(quotaLine)),
    ...section("what happened", history.map(formatDecision)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function trialLine({ rule, mode, outcome, condition, sinceAt }: RuleTrial): string {
  const watch = mode === "watch" ? " (only watches)" : "";
  const since = sinceAt === null ? "" : `, since ${formatMoment(sinceAt)}`;
  return `${harmless(rule)}${watch}: ${outcome}${condition === null ? "" : `: ${harmless(condition)}`}${since}`;
}

export function quotaLine({ quota, key, usedCpuSeconds, allowedCpuSeconds, tier, exempt, renewsAt }: QuotaStanding): string {
  const used = `${harmless(key)} used ${usedCpuSeconds.toFixed(1)} of ${allowedCpuSeconds} CPU seconds`;
  const standing = exempt ? "exempt" : tier === 0 ? "within it" : `tier ${tier}`;
  return `${harmless(quota)}: ${used}, ${standing}${renewsAt === null ? "" : `, renewed ${formatMoment(renewsAt)}`}`;
}
