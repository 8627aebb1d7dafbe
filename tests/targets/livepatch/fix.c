// SPDX-License-Identifier: GPL-2.0-only
// One livepatch a set of FIX_ macros; the Makefile says which there are. The functions it replaces all show a file below /proc.
#include <linux/delay.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#ifndef FIX_REPLACES
#define FIX_REPLACES false
#endif

static int fixed_show(struct seq_file *file, void *unused)
{
	seq_puts(file, FIX_TEXT "\n");
	return 0;
}

#ifdef FIX_QUEUE
static bool open = true;
module_param(open, bool, 0644);

static int fixed_queue_show(struct seq_file *file, void *unused)
{
	while (!READ_ONCE(open))
		msleep(20);
	seq_puts(file, "served by the new code\n");
	return 0;
}
#endif

static struct klp_func functions[] = {
	{ .old_name = FIX_FUNCTION, .new_func = fixed_show },
#ifdef FIX_QUEUE
	{ .old_name = FIX_QUEUE, .new_func = fixed_queue_show },
#endif
	{ }
};

static struct klp_object objects[] = {
	{
#ifdef FIX_MODULE
		.name = FIX_MODULE,
#endif
		.funcs = functions,
	},
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects, .replace = FIX_REPLACES };

static int __init fix_init(void)
{
	return klp_enable_patch(&patch);
}

// Empty, and there on purpose: a module without an exit function can never be unloaded.
static void __exit fix_exit(void)
{
}

module_init(fix_init);
module_exit(fix_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("A livepatch for tests of kernel patches");
