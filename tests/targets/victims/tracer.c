/* Another tracer: seizes a process, says so, and holds on until its input ends. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>

int main(int argc, char **argv)
{
    if (argc < 2 || ptrace(PTRACE_SEIZE, atoi(argv[1]), 0, 0)) return 1;
    puts("tracing");
    fflush(stdout);
    while (getchar() != EOF) { }
    return 0;
}
