/* Questions to the file system and the environment, put down as they are asked, each with its answer: a later run can
 * ask the same ones and see by one digest whether every answer is the same. Who reads specs asks by these functions
 * alone. What is asked next depends on nothing but the answers so far, so equal answers mean that there was nothing
 * else to ask.
 *
 * What is put down is that of the process, which is one run. Nobody's behaviour depends on it. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/arena.h"
#include "lib/digest.h"
#include "lib/fields.h"

/* From here to the end it is put down. */
void asked_begin(void);
/* For what cannot be asked again, such as standard input. */
void asked_never_again(void);
/* The questions, in `arena`, and the digest of their answers. False: they cannot be asked again. */
bool asked_end(struct arena *arena, struct bytes *questions, char digest[static DIGEST_TEXT_SIZE]);
/* Asks all of them anew. False: these are no questions. */
bool asked_again(struct bytes questions, char digest[static DIGEST_TEXT_SIZE]);

/* As the calls of those names, errno included. */
int ask_stat(const char *path, struct stat *info);
int ask_lstat(const char *path, struct stat *info);
int ask_access(const char *path); /* F_OK */
ssize_t ask_readlink(const char *path, char *target, size_t size);
const char *ask_getenv(const char *name);
const char *ask_getcwd(struct arena *arena); /* NULL: errno */
/* The names in a folder, in byte order, save those that begin with a dot. Returns 0 or a negative errno. */
int ask_folder(const char *path, struct arena *arena, struct texts *names);

/* A regular file that was read. `info`: its owner and mode matter, too, and it is no link. NULL bytes: it is not there. */
void asked_file(const char *path, const struct stat *info, const void *bytes, size_t size);
