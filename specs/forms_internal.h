/* Forms by what they are of, for forms.c: the canonical spelling of `text`, or NULL when it is not of that form. */
#pragma once

#include "specs/forms.h"

/* forms_address.c */
const char *ipv6_canonical(struct arena *arena, const char *text);
const char *gateway6_canonical(struct arena *arena, const char *text);
const char *range6_canonical(struct arena *arena, const char *text);
const char *subnet6_canonical(struct arena *arena, const char *text);
const char *address_canonical(struct arena *arena, const char *text);
const char *http_canonical(struct arena *arena, const char *text);

/* forms_kernel.c */
const char *signal_canonical(struct arena *arena, const char *text);
const char *capability_canonical(struct arena *arena, const char *text);
const char *cpuset_canonical(struct arena *arena, const char *text);
const char *usb_canonical(struct arena *arena, const char *text);
bool gpu_is_valid(const char *text);
bool interface_is_valid(const char *text);

/* forms_source.c */
const char *source_canonical(const struct form_context *context, const char *text);
const char *server_canonical(struct arena *arena, const char *text);
const char *digest_canonical(struct arena *arena, const char *text);
bool key_is_valid(const char *text);
