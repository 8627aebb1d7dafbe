// SPDX-License-Identifier: GPL-2.0-only
// A kernel module to be patched. /proc/shop_price answers at once; who reads /proc/shop_queue while the shop is not open sleeps,
// uninterruptibly, inside the function that a livepatch replaces, and so holds the livepatch's transition open.
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static bool open = true;
module_param(open, bool, 0644);

static noinline int shop_price_show(struct seq_file *file, void *unused)
{
	seq_puts(file, "price 100\n");
	return 0;
}

static noinline int shop_queue_show(struct seq_file *file, void *unused)
{
	while (!READ_ONCE(open))
		msleep(20);
	seq_puts(file, "served by the shipped code\n");
	return 0;
}

static int __init shop_init(void)
{
	proc_create_single("shop_price", 0444, NULL, shop_price_show);
	proc_create_single("shop_queue", 0444, NULL, shop_queue_show);
	return 0;
}

static void __exit shop_exit(void)
{
	remove_proc_entry("shop_queue", NULL);
	remove_proc_entry("shop_price", NULL);
}

module_init(shop_init);
module_exit(shop_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A module for tests of kernel patches");
