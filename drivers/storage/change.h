/* Inside the changes of layers and volumes: what stack.c and whole.c hand to each other. */
#pragma once

#include "drivers/storage/stack.h"
#include "drivers/storage/storage.h"

struct changing {
    const struct paths *paths;
    const struct data_change *request;
    const struct call *call;
    struct data_changed *changed;
    int folder;       /* of the layer or volume, locked: the notes in it */
    int data;         /* what it holds: the same, or the file system that a limited layer lies in */
    bool limited;     /* that one: another than the notes' */
    const char *live; /* in `data`: "upper", "root" or "data" */
    struct stack stack;
};

/* A number that no frozen folder has had, and the path of such a folder. */
const char *change_number(const struct changing *changing);
const char *change_path(const struct changing *changing, const char *number);
/* An empty folder that looks from outside like the live one; and the two trade places. */
int change_make_like(const struct changing *changing, const char *path, struct error *error);
int change_trade(const struct changing *changing, const char *path, struct error *error);
/* Puts a frozen folder on top. */
void change_push(const struct changing *changing, struct stack *stack, const char *number);
/* Replaces a note, once what it speaks of is on disk. */
int change_write(const struct changing *changing, const char *note, const struct stack *stack,
                 struct error *error);
/* Notes the snapshot that the request asks for, under a name that is free. */
int change_note(const struct changing *changing, const struct stack *what, struct error *error);
int change_note_as(const struct changing *changing, const struct stack *what, const char *prefix,
                   struct error *error); /* with something before the name */
/* Calls `each` with every name until it answers something else than 0: a guest's data may have dots in front, too. */
int change_each_name(int folder, const char *inside, int (*each)(void *context, int folder, const char *name),
                     void *context);
/* What the data shall be from now on: that of a snapshot, or nothing. */
int change_read_from(const struct changing *changing, struct stack *stack, struct error *error);

/* whole.c: a copy root or a volume that is a folder; a volume in a file. */
int change_whole(struct changing *changing, struct error *error);
int change_image(struct changing *changing, struct error *error);
