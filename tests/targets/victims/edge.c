/* A function whose entry lies across a page boundary. (Objects for the comparison are built without the padding.) */
#include "victim.h"

#ifndef SECTIONS
__asm__(".section .text.edge,\"ax\",@progbits\n.p2align 12\n.skip 4094, 0xcc\n.text");
#define EDGE __attribute__((section(".text.edge"), aligned(1)))
#else
#define EDGE
#endif

NOINLINE EDGE int on_the_edge(int x)
{
#ifdef FIXED
    return x * 5 + 2;
#else
    return x * 5 + 1;
#endif
}

static void answer(const char *question, char *out, size_t room)
{
    if (!strcmp(question, "where")) snprintf(out, room, "%lx", (unsigned long)on_the_edge & 0xfff);
    else snprintf(out, room, "%d", on_the_edge(atoi(question)));
}

static void hammer(long turn) { int v = on_the_edge((int)(turn % 1000)) - (int)(turn % 1000) * 5; if (v != 1 && v != 2) abort(); }
