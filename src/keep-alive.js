/**
 * It does while its owner wants it to, and while somebody awaits what will come soon: the first signal, a release, the end. Without that a
 * script that awaits nothing else would end before, with its promise unsettled.
 */
export class KeepAlive {
  engine;
  #wanted = false;
  #awaited = 0;
  constructor(engine) {
    this.engine = engine;
  }
  want(wanted) {
    this.#wanted = wanted;
    this.#update();
  }
  /** Each call needs a call of `drop`. */
  hold() {
    if (this.#awaited++ === 0) this.#update();
  }
  drop() {
    if (--this.#awaited === 0) this.#update();
  }
  #update() {
    if (this.#wanted || this.#awaited > 0) this.engine.ref();
    else this.engine.unref();
  }
}
