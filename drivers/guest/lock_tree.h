/* Mount flags that nobody who holds the mount can take back.
 *
 * Root in a container may remount what is mounted in its namespace and so lose read-only, nosuid and nodev again, unless
 * the mount came there through a mount namespace of a user namespace: such a copy has its flags locked
 * (mount_namespaces(7)), for privileged containers, too. What is mounted before an unprivileged container starts takes that
 * way by itself. */
#pragma once

struct error;

/* Puts a locked copy in the place of the detached mount behind `tree`, a folder or a file. `user_namespace`: the one of
 * the container; -1: it has none, and another is made. */
int tree_lock_flags(int tree, int user_namespace, struct error *error);
