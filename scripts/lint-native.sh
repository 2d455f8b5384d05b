#!/usr/bin/env bash
# Checks the layout of all C and C++ with clang-format, then analyses the native sources with clang-tidy.
# --fix rewrites the layout instead.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/node_modules/.bin:$PATH

mapfile -t files < <(find native bench -name '*.cc' -o -name '*.c' -o -name '*.h' | sort)
if [ "${1-}" = --fix ]; then
  exec clang-format -i "${files[@]}"
fi

status=0
clang-format --dry-run -Werror "${files[@]}" || status=1

# Version 14 by preference: .clang-tidy was written for its checks, and later versions add some to each group.
tidy=$(command -v clang-tidy-14 || command -v clang-tidy)
if [ -z "$tidy" ]; then
  echo "clang-tidy is missing, so the native sources were not analysed; install it (Debian: apt-get install clang-tidy-14)." >&2
  exit 1
fi

# Configuring is enough for compile_commands.json; nothing is compiled.
if ! output=$(cmake-js configure --config RelWithDebInfo --out build-lint 2>&1); then
  echo "$output"
  exit 1
fi
# Its count of suppressed warnings in system headers is noise that --quiet leaves.
find native -name '*.cc' -print0 | xargs -0 -n 1 -P "$(nproc)" "$tidy" --quiet -p build-lint 2>&1 | sed '/^[0-9]* warnings\? generated\.$/d' || status=1
exit "$status"
