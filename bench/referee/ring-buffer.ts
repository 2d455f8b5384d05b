/**
 * Reads the kernel's trace ring buffer as trace_pipe_raw gives it: nanoseconds, where the text of `trace` has microseconds.
 * Layout: include/linux/ring_buffer.h and events/header_page, header_event of tracefs. Little-endian 64-bit kernels only.
 */

/** struct buffer_data_page: u64 time stamp, u64 commit, then the events. */
const pageHeaderBytes = 16;
/** Set in `commit` by the reader side when events were overwritten before this page was read. */
const missedEvents = 2 ** 31;
const commitMask = 0xfffffff;

/** Values of `type_len`, the low 5 bits of an event's first word; smaller ones are the length of the data in words. */
const paddingType = 29;
const timeExtendType = 30;
const timeStampType = 31;

/** The upper bits that an absolute time stamp leaves out (it holds 59). */
const timeStampSpan = 2 ** 59;

/**
 * Calls `onRecord` for each record of one sub-buffer, with its time (ns of the buffer's trace clock) and where its data begins.
 *
 * @throws Error when the kernel says that events were lost before this sub-buffer.
 */
export function readSubBuffer(page: DataView, onRecord: (timeNs: number, dataOffset: number) => void): void {
  const word = (offset: number) => page.getUint32(offset, true);
  let timeNs = word(4) * 2 ** 32 + word(0);
  const commit = word(8);
  if (commit >= missedEvents) throw new Error("the trace buffer overflowed: signals were lost");
  const end = pageHeaderBytes + (commit & commitMask);

  let at = pageHeaderBytes;
  while (at + 4 <= end) {
    const header = word(at);
    const type = header & 31;
    const delta = header >>> 5;
    at += 4;
    if (type === timeExtendType) {
      timeNs += word(at) * 2 ** 27 + delta;
      at += 4;
    } else if (type === timeStampType) {
      timeNs = Math.floor(timeNs / timeStampSpan) * timeStampSpan + word(at) * 2 ** 27 + delta;
      at += 4;
    } else if (type === paddingType) {
      if (delta === 0) return;
      timeNs += delta;
      at += word(at);
    } else {
      timeNs += delta;
      // Type 0: the length did not fit; it is in the first data word and counts that word.
      const length = type === 0 ? word(at) : type * 4;
      onRecord(timeNs, type === 0 ? at + 4 : at);
      at += length;
    }
  }
}

/** Offset of a field in the records of a tracepoint, from its `format` file. */
export function fieldOffset(format: string, field: string): number {
  const [, offset] = new RegExp(`\\s${field};\\s+offset:(\\d+);`).exec(format) ?? [];
  if (offset === undefined) throw new Error(`the tracepoint has no field "${field}"`);
  return Number(offset);
}
