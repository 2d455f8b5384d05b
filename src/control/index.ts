/** What programs that talk to a daemon import, as "hobble/client". */
export type * from "../daemon/supervisor.js";
export { HobbleError, type HobbleErrorCode } from "../errors.js";
export { type AddOptions, type ClientOptions, type EventOptions, HobbleClient, type Status, type TargetFilter } from "./client.js";
export { systemSocketPath, userSocketPath } from "./paths.js";
