// allow-ptrace PROGRAM ARGUMENTS...: runs a program that processes of the same user may trace.
// Without root, Yama (ptrace_scope 1, Ubuntu's default) lets only a parent trace its child; a target can permit more, and
// the permission stays with the process over exec.
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 2) { fprintf(stderr, "usage: allow-ptrace PROGRAM ARGUMENTS...\n"); return 2; }
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    execv(arguments[1], arguments + 1);
    perror(arguments[1]);
    return 127;
}
