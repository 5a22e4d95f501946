/* Items of lists: what tells one from another. */
#include <string.h>

#include "lib/fields.h"

const char *item_key(const struct table *nested, const void *item)
{
    const char *key = *(const char *const *)field_at(item, &nested->rows[0]);
    for (size_t i = 1; !key && i < nested->count && nested->rows[i].flags & FIELD_KEY; i++)
        key = *(const char *const *)field_at(item, &nested->rows[i]);
    return key;
}

void *list_find(const struct list *list, const struct table *nested, const char *key)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(item_key(nested, list->items[i]), key) == 0)
            return list->items[i];
    return NULL;
}
