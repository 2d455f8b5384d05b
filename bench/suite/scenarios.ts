/** All scenarios, in the order in which they are run. */
import type { BenchScenario } from "./bench-lab.js";
import { floor } from "./floor.js";
import { windows } from "./scenarios/windows.js";
import { selfCheck } from "./self-check.js";

export const allScenarios: readonly BenchScenario[] = [selfCheck, floor, windows];
