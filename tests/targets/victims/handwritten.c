/* A routine in assembly, of which nothing says where it ends. */
#include "victim.h"

long clamp(long x);

__asm__(
    ".text\n"
    ".globl clamp\n"
    "clamp:\n"
    "    mov %rdi, %rax\n"
#ifdef FIXED
    "    cmp $100, %rdi\n"
    "    jle 1f\n"
    "    mov $100, %rax\n"
    "1:\n"
#endif
    "    ret\n");

static void answer(const char *question, char *out, size_t room) { snprintf(out, room, "%ld", clamp(atol(question))); }
static void hammer(long turn) { (void)turn; }
