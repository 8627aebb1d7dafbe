/* The fix is in main, which is on the stack as long as the process lives. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
#ifdef FIXED
        if (atoi(line) > 100) puts("refused");
        else
#endif
        printf("%d\n", atoi(line));
    }
    return 0;
}
