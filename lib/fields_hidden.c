/* Which values must not be shown. */
#include "lib/fields.h"

#include <string.h>
#include <strings.h>

#include "lib/error.h"

bool pair_is_hidden(const struct field *row, const char *key)
{
    return row->flags & FIELD_SENSITIVE || variable_is_hidden(key);
}

bool variable_is_hidden(const char *key)
{
    static const char *const endings[] = {"PASSWORD", "PASS", "SECRET", "TOKEN", "KEY"};
    size_t length = strlen(key);
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        size_t ending = strlen(endings[i]);
        if (length >= ending && strcasecmp(key + length - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

int fields_replace_hidden(const struct table *table, void *object,
                          int (*replace)(void *context, const char **value, struct error *error),
                          void *context, struct error *error)
{
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        struct pairs *pairs = row->type == FIELD_PAIRS ? field_at(object, row) : NULL;
        for (size_t i = 0; pairs && i < pairs->count; i++) {
            int result = pair_is_hidden(row, pairs->items[i].key)
                             ? replace(context, &pairs->items[i].value, error)
                             : 0;
            if (result < 0)
                return error_wrap(error, result, "%s.%s", row->key, pairs->items[i].key);
        }
    }
    return 0;
}
