/* A program that opens a library when it needs it, and closes it again. */
#include "victim.h"
#include <dlfcn.h>

static void *library;
static int (*put)(int);

static void open_it(void)
{
    library = dlopen("libshelf_a.so", RTLD_NOW);
    put = library ? (int (*)(int))dlsym(library, "put_a") : NULL;
}

static void answer(const char *question, char *out, size_t room)
{
    if (!strcmp(question, "reopen")) {
        dlclose(library);
        library = NULL;
    }
    if (!library) open_it();
    snprintf(out, room, "%d", put ? put(atoi(question)) : -99);
}

static void hammer(long turn) { (void)turn; }
