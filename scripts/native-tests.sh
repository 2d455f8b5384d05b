#!/usr/bin/env bash
# Compiles the native unit tests twice, with AddressSanitizer and UBSan and with ThreadSanitizer, and runs both.
# Arguments go to both test programs (doctest's: --test-case=..., --help); --compile-only runs neither. Needs cmake and doctest (Debian:
# doctest-dev).
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/node_modules/.bin:$PATH

# ThreadSanitizer of GCC 12 refuses the 32 bits of address randomisation that newer kernels use.
without_randomisation=()
if setarch -R true 2>/dev/null; then without_randomisation=(setarch -R); fi

export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1"
export UBSAN_OPTIONS="print_stacktrace=1"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1"

compile_only=
if [ "${1-}" = --compile-only ]; then
  compile_only=yes
  shift
fi

status=0
summary=()
run_with() { # NAME SANITIZERS ARGUMENTS...
  local name=$1 sanitizers=$2 folder=build-$1 verdict=passed output
  shift 2
  echo "== native tests: $name ($sanitizers)"
  if ! output=$(cmake-js build --config RelWithDebInfo --target hobble_native_tests --out "$folder" "--CDHOBBLE_SANITIZE=$sanitizers" 2>&1); then
    echo "$output"
    verdict="not compiled"
  elif [ -n "$compile_only" ]; then
    verdict=compiled
  elif ! timeout --kill-after=5 180 "${without_randomisation[@]}" "$folder/hobble_native_tests" "$@"; then
    verdict=failed
  fi
  case $verdict in passed | compiled) ;; *) status=1 ;; esac
  summary+=("$name: $verdict")
}

run_with asan address,undefined "$@"
run_with tsan thread "$@"
printf '%s\n' "${summary[@]}"
exit "$status"
