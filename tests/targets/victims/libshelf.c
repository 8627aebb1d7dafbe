/* Two libraries are made of this one source: -DSHELF=a and -DSHELF=b. */
#define JOIN2(x, y) x##y
#define JOIN(x, y) JOIN2(x, y)
#define NAME(x) JOIN(x, SHELF)

static __thread int used;
static int total;

__attribute__((noinline)) static int count_one(int n) { used += n; return total += n; }

int NAME(put_)(int n)
{
#ifdef FIXED
    if (n > 10) return -1;
#endif
    count_one(n);
    return used * 1000 + total;
}
