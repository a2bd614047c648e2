/* The first program of a machine without any other: makes system calls before and behind a filter, and says what came of
   each. `filter.h` is generated from agent/sandbox/syscalls.py. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter.h"

static void say(const char *name, long result) {
  printf("%s: %s\n", name, result < 0 ? strerror(errno) : "allowed");
  fflush(stdout);
}

static void new_process(const char *name, unsigned long flags) {
  long made = syscall(SYS_clone, flags | 17, 0, 0, 0, 0);
  if (made == 0) _exit(0);
  say(name, made);
}

static void before(void) {
  say("before io_uring_setup", syscall(SYS_io_uring_setup, 1, 0));
  say("before unshare a user namespace", syscall(SYS_unshare, CLONE_NEWUSER));
}

static void behind(void) {
  struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = (struct sock_filter *)filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  say("filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
  for (unsigned n = 0; n < sizeof(refused) / sizeof(refused[0]); n++)
    say(refused[n].name, syscall(refused[n].number, 0, 0, 0, 0, 0, 0));
  say("unshare a user namespace", syscall(SYS_unshare, CLONE_NEWUSER));
  new_process("clone a user namespace", CLONE_NEWUSER);
  say("unshare a pid namespace", syscall(SYS_unshare, CLONE_NEWPID));
  new_process("clone", 0);
  say("getpid", syscall(SYS_getpid));
}

static void in_a_process(void (*what)(void)) {
  if (fork() == 0) {
    what();
    exit(0);
  }
  wait(NULL);
}

int main(void) {
  int console = open("/dev/console", O_RDWR);
  for (int fd = 0; fd < 3; fd++) dup2(console, fd);
  in_a_process(before);
  in_a_process(behind);
  puts("end");
  fflush(stdout);
  reboot(RB_POWER_OFF);
}
