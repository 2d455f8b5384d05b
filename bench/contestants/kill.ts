/** The death that nobody can handle. */
import { treeOf } from "../referee/process-tree.js";
import type { Entrant } from "./entrants.js";
import type { Session } from "./session.js";

/** Kills with SIGKILL whoever hobbles: the contestant, or the programs that it started, then the contestant. */
export function killHobbler({ programEach = false }: Entrant, session: Session): void {
  const [, ...programs] = programEach ? treeOf(session.pid) : [];
  for (const pid of programs) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is gone.
    }
  }
  session.signal("SIGKILL");
}
