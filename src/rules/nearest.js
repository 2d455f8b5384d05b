/** "Did you mean …?" */
/** The word of `known` that `word` is most likely a slip of, if any is near enough. */
export function nearest(word, known) {
  const most = word.length <= 4 ? 1 : word.length <= 8 ? 2 : 3;
  const [best] = known
    .map((candidate) => ({ candidate, distance: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter((found) => found.distance <= most)
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate;
}
/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function distance(a, b) {
  if (Math.abs(a.length - b.length) > 3) return 4;
  let beforeLast = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
