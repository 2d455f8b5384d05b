/** The findings for people: a line for each check, and below what is lacking what that costs and how to get it. */
import { styleText } from "node:util";
import { type Check, usable } from "./check.js";

const colours = { yes: "green", partly: "yellow", no: "red" } as const;
const verdictWidth = "partly".length;

export function formatChecks(checks: readonly Check[], coloured: boolean): string[] {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const indent = " ".repeat(verdictWidth + 2 + nameWidth + 2);
  const lines = checks.flatMap(({ name, verdict, found, cost, remedy }) => {
    const word = verdict.padEnd(verdictWidth);
    return [
      `${coloured ? styleText(colours[verdict], word) : word}  ${name.padEnd(nameWidth)}  ${found}`,
      ...(cost === undefined ? [] : [`${indent}costs: ${cost}`]),
      ...(remedy === undefined ? [] : [`${indent}to get it: ${remedy}`]),
    ];
  });
  return [...lines, "", verdictOn(checks)];
}

function verdictOn(checks: readonly Check[]): string {
  if (!usable(checks)) return "hobble cannot work here.";
  const lacks = checks.filter(({ verdict }) => verdict !== "yes").length;
  return lacks === 0 ? "hobble has all it can use here." : `hobble works here, without all it could use (${lacks} of ${checks.length}).`;
}
