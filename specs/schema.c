/* JSON Schema (draft 2020-12) of a spec file, made from the rows.
 *
 * It is for editors: what it accepts may still fail a check of the whole set, but what the loader accepts, it
 * accepts, interpolations included. */
#include "lib/json.h"
#include "specs/forms.h"
#include "specs/specs.h"

#define NAME_PATTERN          "^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$"
#define INTERPOLATION_PATTERN "\\$\\{"

static struct json *schema_of_kind(enum kind kind);
static struct json *or_null(struct json *schema);
static struct json *schema_of_include(void);
static struct json *schema_of_defaults(void);
static struct json *schema_of_table(const struct table *table);
static struct json *schema_of_row(const struct field *row);
static void define(struct json *definitions, const struct table *table);

static struct json *of_type(const char *type)
{
    struct json *schema = json_new_object();
    json_set(schema, "type", json_new_text(type));
    return schema;
}

struct json *specs_schema(void)
{
    struct json *schema = json_new_object();
    json_set(schema, "$schema", json_new_text("https://json-schema.org/draft/2020-12/schema"));
    json_set(schema, "title", json_new_text("fpsync spec"));
    json_set(schema, "type", json_new_text("object"));
    struct json *properties = json_set(schema, "properties", json_new_object());
    json_set(json_set(properties, "fpsync", json_new_object()), "const", json_new_number(1));
    struct json *project = json_set(properties, "project", of_type("string"));
    json_set(project, "description", json_new_text("The namespace of the document's names."));
    json_set(project, "default", json_new_text("default"));
    json_set(properties, "include", schema_of_include());
    json_set(properties, "defaults", schema_of_defaults());
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        json_set(properties, kind_plural(kind), schema_of_kind(kind));
    json_set(json_set(schema, "patternProperties", json_new_object()), "^x-", json_new_bool(true));
    json_set(schema, "additionalProperties", json_new_bool(false));
    struct json *definitions = json_set(schema, "$defs", json_new_object());
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        define(definitions, kind_table(kind));
    return schema;
}

static struct json *schema_of_include(void)
{
    struct json *either = json_new_object(), *choices = json_set(either, "anyOf", json_new_array());
    json_set(
        either, "description",
        json_new_text("Files that belong to this one: paths from its folder, patterns for their names."));
    json_append(choices, of_type("string"));
    json_set(json_append(choices, of_type("array")), "items", of_type("string"));
    return either;
}

/* Fields of a kind, none of them required here. */
static struct json *schema_of_defaults(void)
{
    struct json *schema = of_type("object"), *kinds = json_set(schema, "properties", json_new_object());
    json_set(schema, "description",
             json_new_text("What every object of a kind says, unless it says otherwise."));
    json_set(schema, "additionalProperties", json_new_bool(false));
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct json *fields = of_type("object");
        struct json *properties = json_set(fields, "properties", json_new_object());
        const struct table *table = kind_table(kind);
        for (size_t i = 0; i < table->count; i++)
            if (!(table->rows[i].flags & FIELD_DERIVED))
                json_set(properties, table->rows[i].key, schema_of_row(&table->rows[i]));
        json_set(fields, "additionalProperties", json_new_bool(false));
        json_set(kinds, kind_plural(kind), or_null(fields));
    }
    return schema;
}

static void define(struct json *definitions, const struct table *table)
{
    json_set(definitions, table->name, schema_of_table(table));
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].nested)
            define(definitions, table->rows[i].nested);
}

static struct json *reference_to(const struct table *table)
{
    _cleanup_buffer_ struct buffer text = {0};
    buffer_printf(&text, "#/$defs/%s", table->name);
    struct json *schema = json_new_object();
    json_set(schema, "$ref", json_new_text(text.bytes));
    return schema;
}

static struct json *or_null(struct json *schema)
{
    struct json *either = json_new_object(), *choices = json_set(either, "anyOf", json_new_array());
    json_append(choices, schema);
    json_append(choices, of_type("null"));
    return either;
}

static struct json *schema_of_kind(enum kind kind)
{
    struct json *schema = of_type("object");
    json_set(schema, "description", json_new_text(kind_table(kind)->help));
    json_set(json_set(schema, "propertyNames", json_new_object()), "pattern", json_new_text(NAME_PATTERN));
    json_set(schema, "additionalProperties", or_null(reference_to(kind_table(kind))));
    return or_null(schema);
}

static struct json *schema_of_table(const struct table *table)
{
    struct json *schema = of_type("object"), *required = json_new_array();
    json_set(schema, "description", json_new_text(table->help));
    struct json *properties = json_set(schema, "properties", json_new_object());
    for (size_t i = 0; i < table->count; i++) {
        const struct field *row = &table->rows[i];
        if (row->flags & FIELD_DERIVED)
            continue;
        struct json *property = json_set(properties, row->key, schema_of_row(row));
        json_set(property, "description", json_new_text(row->help));
        if (row->standard)
            json_set(property, "default", json_new_text(row->standard));
        if (row->flags & FIELD_REQUIRED)
            json_append(required, json_new_text(row->key));
    }
    json_set(schema, "required", required);
    json_set(schema, "additionalProperties", json_new_bool(false));
    return schema;
}

/* Every scalar may come from a variable. */
static struct json *or_interpolation(struct json *schema)
{
    struct json *either = json_new_object(), *choices = json_set(either, "anyOf", json_new_array());
    json_append(choices, schema);
    json_set(json_append(choices, of_type("string")), "pattern", json_new_text(INTERPOLATION_PATTERN));
    return either;
}

static struct json *any_scalar(void)
{
    struct json *schema = json_new_object(), *types = json_set(schema, "type", json_new_array());
    json_append(types, json_new_text("string"));
    json_append(types, json_new_text("number"));
    json_append(types, json_new_text("boolean"));
    return schema;
}

static struct json *schema_of_text(const struct field *row)
{
    if (!row->words)
        return row->form == FORM_PLAIN ? any_scalar() : of_type("string");
    struct json *schema = json_new_object(), *words = json_set(schema, "enum", json_new_array());
    for (const char *const *word = row->words; *word; word++)
        json_append(words, json_new_text(*word));
    return or_interpolation(schema);
}

static struct json *schema_of_number(const struct field *row)
{
    if (row->form == FORM_SIZE || row->form == FORM_LIMIT || row->form == FORM_DURATION ||
        row->form == FORM_CPUS) {
        struct json *schema = json_new_object(), *types = json_set(schema, "type", json_new_array());
        json_append(types, json_new_text("string"));
        json_append(types, json_new_text("number"));
        return schema;
    }
    struct json *schema = of_type("integer");
    json_set(schema, "minimum", json_new_number(row->minimum));
    if (row->maximum && row->maximum < INT64_MAX)
        json_set(schema, "maximum", json_new_number(row->maximum));
    struct json *either = or_interpolation(schema);
    /* Quoted numbers are read as what they say. */
    json_set(json_append(json_get(either, "anyOf"), of_type("string")), "pattern", json_new_text("^[0-9]+$"));
    return either;
}

/* A list of short forms and mappings; what is named by reference may also be one mapping. */
static struct json *schema_of_list(const struct field *row)
{
    struct json *either = json_new_object(), *choices = json_set(either, "anyOf", json_new_array());
    struct json *item = json_set(json_append(choices, of_type("array")), "items", json_new_object());
    struct json *forms = json_set(item, "anyOf", json_new_array());
    json_append(forms, of_type("string"));
    json_append(forms, reference_to(row->nested));
    if (row->nested == &attachment_table)
        json_set(json_append(choices, json_new_object()), "const", json_new_text(HOST_NETWORK));
    if (row->nested->rows[0].form != FORM_REFERENCE && row->nested != &build_secret_table)
        return either;
    struct json *mapping = json_append(choices, of_type("object"));
    struct json *value = json_set(mapping, "additionalProperties", json_new_object());
    struct json *values = json_set(value, "anyOf", json_new_array());
    json_append(values, of_type("null"));
    if (row->nested->count > 1 && row->nested->rows[1].words)
        json_append(values, schema_of_text(&row->nested->rows[1]));
    struct json *rest = json_append(values, of_type("object")); /* the other fields: the key is in front */
    struct json *properties = json_set(rest, "properties", json_new_object());
    for (size_t i = 1; i < row->nested->count; i++)
        json_set(properties, row->nested->rows[i].key, schema_of_row(&row->nested->rows[i]));
    json_set(rest, "additionalProperties", json_new_bool(false));
    return either;
}

static struct json *or_text(struct json *schema)
{
    struct json *either = json_new_object(), *choices = json_set(either, "anyOf", json_new_array());
    json_append(choices, schema);
    json_append(choices, any_scalar());
    return either;
}

static struct json *schema_of_row(const struct field *row)
{
    switch (row->type) {
    case FIELD_BOOL:
        return or_interpolation(of_type("boolean"));
    case FIELD_NUMBER:
        return schema_of_number(row);
    case FIELD_TEXTS: {
        struct json *schema = of_type("array");
        json_set(schema, "items", any_scalar());
        return row->form == FORM_COMMAND ? or_text(schema) : schema;
    }
    case FIELD_PAIRS: {
        struct json *schema = of_type("object");
        json_set(schema, "additionalProperties", any_scalar());
        return schema;
    }
    case FIELD_LIST:
        return schema_of_list(row);
    case FIELD_STRUCT: {
        struct json *either = or_null(reference_to(row->nested));
        if (row->shorthand)
            json_append(json_get(either, "anyOf"), of_type("string"));
        return either;
    }
    default:
        return schema_of_text(row);
    }
}
