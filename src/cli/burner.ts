/** A process of its own that burns CPU for as long as the process that started it lives: `node burner.js PARENT_PID`. */
import { host } from "../native-host.js";

const sigkill = 9;

// Sent by the kernel, so it also ends a burner that is stopped.
host().setParentDeathSignal(sigkill);
// The parent may have died before that.
if (process.ppid !== Number(process.argv[2])) process.exit(1);
process.stdout.write("burning\n", () => {
  for (;;);
});
