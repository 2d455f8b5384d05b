/*
 * reuse COUNT: forces the reuse of PIDs. To be run in a PID namespace of its own, as root of it.
 *
 * Two parents, "target" and "stranger", have children on the same COUNT PIDs in turn. Commands on standard input, each answered by a line:
 *
 *   targets    the children become targets; "pids PARENT P1 P2 ..."
 *   strangers  the targets are killed and their PIDs go to strangers; "reused N" of COUNT
 *   count      signals that strangers got since they were born; "signals N"
 *
 * The kernel is told with ns_last_pid which PID to give next. Strangers count the SIGCONTs that they get, and their parent is told of each
 * stop.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 256, TRIES = 200 };

struct shared {
  pid_t pids[MOST];
  atomic_int conts;
  atomic_int stops;
};

static struct shared* shared;
static int count;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void count_cont(int number) {
  (void)number;
  atomic_fetch_add(&shared->conts, 1);
}

/* A child on this PID, whoever else forks meanwhile; 0: it could not be had. */
static pid_t fork_on(pid_t wanted) {
  char text[16];
  const int length = snprintf(text, sizeof text, "%d", wanted - 1);
  for (int i = 0; i < TRIES; i++) {
    if (wanted != 0) {
      const int file = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
      if (file < 0 || write(file, text, (size_t)length) != length) die("ns_last_pid");
      close(file);
    }
    const pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (shared->pids[0] < 0) _exit(0);
      for (;;) pause();
    }
    if (wanted == 0 || pid == wanted) return pid;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
  }
  return 0;
}

static void end_children(void) {
  for (int i = 0; i < count; i++) {
    if (shared->pids[i] == 0) continue;
    kill(shared->pids[i], SIGKILL);
    waitpid(shared->pids[i], NULL, 0);
  }
}

static int take_pids(void) {
  int taken = 0;
  for (int i = 0; i < count; i++) {
    const pid_t pid = fork_on(shared->pids[i]);
    if (pid != 0) shared->pids[i] = pid;
    taken += pid != 0;
  }
  return taken;
}

/* One parent: 'b' = have children on the PIDs, 'e' = end them, 'c' = note stops of theirs. Answers with a number. */
static void parent(const char* name, int commands, int answers) {
  prctl(PR_SET_NAME, name);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction on_cont = {.sa_handler = count_cont, .sa_flags = SA_RESTART};
  if (strcmp(name, "stranger") == 0) sigaction(SIGCONT, &on_cont, NULL);
  char command;
  while (read(commands, &command, 1) == 1) {
    int answer = 0;
    if (command == 'b') answer = take_pids();
    if (command == 'e') end_children();
    if (command == 'c') {
      siginfo_t info = {0};
      while (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0) {
        atomic_fetch_add(&shared->stops, 1);
        info.si_pid = 0;
      }
    }
    if (write(answers, &answer, sizeof answer) != sizeof answer) break;
  }
  exit(0);
}

struct party {
  pid_t pid;
  int commands;
  int answers;
};

static struct party start(const char* name) {
  int commands[2], answers[2];
  if (pipe(commands) < 0 || pipe(answers) < 0) die("pipe");
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid == 0) {
    close(commands[1]);
    parent(name, commands[0], answers[1]);
  }
  close(commands[0]);
  close(answers[1]);
  return (struct party){pid, commands[1], answers[0]};
}

static int ask(struct party party, char command) {
  int answer = -1;
  if (write(party.commands, &command, 1) != 1 || read(party.answers, &answer, sizeof answer) != sizeof answer) die("a parent");
  return answer;
}

int main(int argc, char** argv) {
  count = argc > 1 ? atoi(argv[1]) : 0;
  if (count < 1 || count > MOST) {
    fprintf(stderr, "usage: reuse COUNT (1 to %d)\n", MOST);
    return 2;
  }
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) die("mmap");
  const struct party target = start("target");
  const struct party stranger = start("stranger");
  char line[32];
  while (fgets(line, sizeof line, stdin)) {
    if (strcmp(line, "targets\n") == 0) {
      ask(stranger, 'e');
      ask(target, 'b');
      printf("pids %d", target.pid);
      for (int i = 0; i < count; i++) printf(" %d", shared->pids[i]);
      printf("\n");
    } else if (strcmp(line, "strangers\n") == 0) {
      ask(target, 'e');
      printf("reused %d\n", ask(stranger, 'b'));
    } else if (strcmp(line, "count\n") == 0) {
      ask(stranger, 'c');
      printf("signals %d\n", atomic_load(&shared->conts) + atomic_load(&shared->stops));
    }
    fflush(stdout);
  }
  return 0;
}
