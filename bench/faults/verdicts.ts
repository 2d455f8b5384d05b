/** What the fault injection says, a line for each check, and how many held. */
export class Verdicts {
  passed = 0;
  failed = 0;

  heading(text: string): void {
    console.log(`\n${text}`);
  }

  tell(held: boolean, text: string): void {
    if (held) this.passed++;
    else this.failed++;
    console.log(`${held ? "ok  " : "FAIL"} ${text}`);
  }

  note(text: string): void {
    console.log(`     ${text}`);
  }

  skip(text: string): void {
    console.log(`skip ${text}`);
  }
}
