/*
 * spender busy | threads N | tree N | alternate MS
 *
 * A process that uses the CPU, for the benchmark of limits. Prints its PID, and those of its children if it has any, and begins. It and
 * its children die with the bench.
 *
 * busy       spins.
 * threads    spins with N threads.
 * tree       N children spin; it waits for them.
 * alternate  spins for so long, then sleeps for so long, and so on.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void* spin(void* unused) {
  (void)unused;
  for (;;) {
  }
  return NULL;
}

static void alternate(int64_t length_ns) {
  const struct timespec rest = {.tv_sec = length_ns / 1000000000, .tv_nsec = length_ns % 1000000000};
  for (;;) {
    const int64_t end = now_ns() + length_ns;
    while (now_ns() < end) {
    }
    nanosleep(&rest, NULL);
  }
}

int main(int argc, char** argv) {
  const char* const kind = argc > 1 ? argv[1] : "busy";
  const int number = argc > 2 ? atoi(argv[2]) : 1;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  printf("%d", getpid());
  if (strcmp(kind, "tree") == 0) {
    for (int i = 0; i < number; i++) {
      const pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        spin(NULL);
      }
      printf(" %d", child);
    }
  }
  printf("\n");
  fflush(stdout);
  if (strcmp(kind, "tree") == 0) {
    while (wait(NULL) > 0) {
    }
    return 0;
  }
  if (strcmp(kind, "alternate") == 0) alternate(number * INT64_C(1000000));
  pthread_t thread;
  for (int i = 1; strcmp(kind, "threads") == 0 && i < number; i++) pthread_create(&thread, NULL, spin, NULL);
  spin(NULL);
  return 0;
}
