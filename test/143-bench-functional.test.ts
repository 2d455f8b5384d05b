/** The functional suite that every contestant goes through: hobble passes it, and who does nothing fails it. */
import { afterAll, expect, test } from "vitest";
import { allEntrants } from "../bench/contestants/entrants.js";
import { closeLab, efforts, openLab } from "../bench/suite/bench-lab.js";
import { checkNames, tryOut } from "../bench/suite/functional.js";

const lab = openLab(efforts.quick, allEntrants(), () => {});
afterAll(() => closeLab(lab));

async function outcomes(id: string): Promise<Record<string, string>> {
  const one = allEntrants().find((entrant) => entrant.id === id);
  if (one === undefined) throw new Error(`there is no contestant "${id}"`);
  const results = await tryOut(lab, one);
  return Object.fromEntries(results.map(({ check, outcome, why }) => [check, outcome === "pass" ? "pass" : `${outcome}: ${why}`]));
}

test("hobble passes", { timeout: 60_000 }, async () => {
  const all = await outcomes("hobble");
  // How much longer a program takes, and what it costs, are the host's too: on a loaded one they may be anything.
  const { [checkNames.slow]: _slow, [checkNames.cheap]: _cheap, [checkNames.others]: _others, ...timeless } = all;
  const names = Object.values(checkNames).filter((name) => name in timeless);
  expect(timeless).toEqual(Object.fromEntries(names.map((name) => [name, "pass"])));
  expect(names).toHaveLength(7);
});

test("who does nothing does not", { timeout: 60_000 }, async () => {
  const all = await outcomes("nothing");
  for (const check of [checkNames.one, checkNames.several, checkNames.children]) expect(all[check]).toMatch(/^fail/);
});
