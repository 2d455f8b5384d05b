/** All scenarios, in the order in which they are run. */
import type { BenchScenario } from "./bench-lab.js";
import { floor } from "./floor.js";
import { functional } from "./functional.js";
import { benefit } from "./scenarios/benefit.js";
import { bystanders } from "./scenarios/bystanders.js";
import { churn } from "./scenarios/churn.js";
import { discovery } from "./scenarios/discovery.js";
import { experiment } from "./scenarios/experiment.js";
import { limits } from "./scenarios/limits.js";
import { pools } from "./scenarios/pools.js";
import { recovery } from "./scenarios/recovery.js";
import { startup } from "./scenarios/startup.js";
import { windows } from "./scenarios/windows.js";
import { selfCheck } from "./self-check.js";

export const allScenarios: readonly BenchScenario[] = [
  selfCheck,
  functional,
  floor,
  windows,
  experiment,
  limits,
  pools,
  bystanders,
  benefit,
  recovery,
  startup,
  churn,
  discovery,
];
