/* SPDX-License-Identifier: Apache-2.0 */
/* qhsm key list | show | generate | import | destroy */
#include <ctype.h>
#include <stdlib.h>

#include "common/attribute.h"
#include "common/crypt.h"
#include "rpc/codec.h"
#include "tools/connection.h"
#include "tools/key_file.h"
#include "tools/key_kinds.h"

static struct {
    const char *label;
    const char *id;
    const char *type;
    bool is_extractable;
} options;

enum { OPTION_LABEL = CLI_OPTION, OPTION_ID, OPTION_EXTRACTABLE, OPTION_TYPE };

#define LABEL_OPTION                                     \
    {                                                    \
        "label", OPTION_LABEL, "TEXT", 0, "CKA_LABEL", 0 \
    }
#define ID_OPTION                              \
    {                                          \
        "id", OPTION_ID, "HEX", 0, "CKA_ID", 0 \
    }

static const struct argp_option select_argp[] = {LABEL_OPTION, ID_OPTION, {0}};
static const struct argp_option generate_argp[] = {
    LABEL_OPTION,
    ID_OPTION,
    {"extractable", OPTION_EXTRACTABLE, NULL, 0, "The key may be wrapped and taken out", 0},
    {0}};
static const struct argp_option import_argp[] = {
    LABEL_OPTION,
    ID_OPTION,
    {"extractable", OPTION_EXTRACTABLE, NULL, 0, "The key may be wrapped and taken out", 0},
    {"type", OPTION_TYPE, "TYPE", 0,
     "Of raw bytes: aes or generic (default: the file is a PEM private key)", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case OPTION_LABEL:
        options.label = arg;
        return 0;
    case OPTION_ID:
        options.id = arg;
        return 0;
    case OPTION_EXTRACTABLE:
        options.is_extractable = true;
        return 0;
    case OPTION_TYPE:
        options.type = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum rc parse_hex(const char *hex, struct buf *out)
{
    size_t len = strlen(hex);
    for (size_t i = 0; i < len; i += 2) {
        char pair[3] = {hex[i], hex[i + 1], 0};
        char *end = NULL;
        unsigned long byte = strtoul(pair, &end, 16);
        if (!isxdigit((unsigned char)pair[0]) || pair[1] == 0 || *end != 0)
            return rc_fail(RC_BAD_ARGUMENT, "--id wants pairs of hex digits, not %s", hex);
        TRY(buf_put_u8(out, (uint8_t)byte));
    }
    return RC_OK;
}

/* --label and --id as attributes; `id` keeps the bytes. */
static enum rc add_names(struct attr_list *list, struct buf *id)
{
    if (options.label != NULL)
        TRY(attr_list_add(list, CKA_LABEL, bytes_of_str(options.label)));
    if (options.id == NULL)
        return RC_OK;
    TRY(parse_hex(options.id, id));
    return attr_list_add(list, CKA_ID, buf_bytes(id));
}

/* ---- reading
 * ----------------------------------------------------------------------------------------------------
 */

static const struct column columns[] = {
    {"HANDLE", "handle", CELL_NUMBER}, {"CLASS", "class", CELL_TEXT}, {"TYPE", "type", CELL_TEXT},
    {"BITS", "bits", CELL_NUMBER},     {"LABEL", "label", CELL_TEXT}, {"ID", "id", CELL_TEXT},
    {"USES", "uses", CELL_TEXT}};

static enum rc uses_text(uint32_t usage, struct buf *out)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{USAGE_ENCRYPT, "encrypt"}, {USAGE_DECRYPT, "decrypt"}, {USAGE_SIGN, "sign"},
                 {USAGE_VERIFY, "verify"},   {USAGE_WRAP, "wrap"},       {USAGE_UNWRAP, "unwrap"},
                 {USAGE_DERIVE, "derive"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((usage & names[i].bit) != 0)
            TRY(buf_printf(out, "%s%s", out->len == 0 ? "" : ",", names[i].name));
    return RC_OK;
}

static enum rc print_hex(struct buf *out, ProtobufCBinaryData data)
{
    for (size_t i = 0; i < data.len; i++)
        TRY(buf_printf(out, "%02x", data.data[i]));
    return RC_OK;
}

static enum rc add_row(struct connection *connection, struct table *table,
                       const Qhsm__KeyFacts *facts)
{
    if (facts->object_class == CKO_PROFILE)
        return RC_OK; /* what the token says of itself, no object of a user's */
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__GetAttributesRequest get = QHSM__GET_ATTRIBUTES_REQUEST__INIT;
    uint64_t types[] = {CKA_LABEL, CKA_ID};
    get.handle = facts->handle;
    get.types = types;
    get.n_types = 2;
    request.body_case = QHSM__REQUEST__BODY_GET_ATTRIBUTES;
    request.get_attributes = &get;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(connection, &request, false, &reply);
    AUTO_BUF label = BUF_INIT;
    AUTO_BUF id = BUF_INIT;
    AUTO_BUF uses = BUF_INIT;
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_ATTRIBUTES)
        rc = rc_fail(RC_PROTOCOL, "no attributes in the answer");
    for (size_t i = 0; rc == RC_OK && i < reply.msg->attributes->n_results; i++) {
        const Qhsm__AttributeResult *result = reply.msg->attributes->results[i];
        if (result->type == CKA_LABEL)
            rc = buf_append(&label, bytes_of(result->value.data, result->value.len));
        else if (result->type == CKA_ID)
            rc = print_hex(&id, result->value);
    }
    rpc_reply_clear(connection->client, &reply);
    if (rc == RC_OBJECT_HANDLE)
        return RC_OK; /* destroyed between listing and reading */
    TRY(rc);
    TRY(uses_text(facts->usage, &uses));
    TRY(table_cell(table, "%llu", (unsigned long long)facts->handle));
    TRY(table_cell(table, "%s", key_class_name(facts->object_class)));
    TRY(table_cell(table, "%s", key_type_name(facts->object_class, facts->key_type)));
    TRY(table_cell(table, "%u", facts->size_bits));
    TRY(table_cell(table, "%s", buf_str(&label)));
    TRY(table_cell(table, "%s", buf_str(&id)));
    return table_cell(table, "%s", buf_str(&uses));
}

/* One page after another. */
static enum rc add_rows(struct connection *connection, struct attrs wanted, struct table *table)
{
    Qhsm__Attribute storage[ATTRS_MAX];
    Qhsm__Attribute *pointers[ATTRS_MAX];
    uint64_t after = 0;
    for (bool more = true; more;) {
        Qhsm__Request request = QHSM__REQUEST__INIT;
        Qhsm__FindRequest find = QHSM__FIND_REQUEST__INIT;
        find.slot = connection->slot;
        find.after = after;
        find.limit = 256;
        find.with_facts = true;
        find.n_attributes = codec_template_pb(wanted, storage, pointers);
        find.attributes = pointers;
        request.body_case = QHSM__REQUEST__BODY_FIND;
        request.find = &find;
        struct rpc_reply reply = {0};
        enum rc rc = connection_call(connection, &request, false, &reply);
        if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_FIND)
            rc = rc_fail(RC_PROTOCOL, "no list of objects in the answer");
        for (size_t i = 0; rc == RC_OK && i < reply.msg->find->n_facts; i++) {
            after = reply.msg->find->facts[i]->handle;
            rc = add_row(connection, table, reply.msg->find->facts[i]);
        }
        more = rc == RC_OK && reply.msg->find->more && reply.msg->find->n_facts > 0;
        rpc_reply_clear(connection->client, &reply);
        TRY(rc);
    }
    return RC_OK;
}

static enum rc key_list(struct cli *cli)
{
    AUTO_CONNECTION connection = {0};
    AUTO_BUF id = BUF_INIT;
    struct attr_list wanted = {.count = 0};
    TRY(add_names(&wanted, &id));
    TRY(connection_open(cli, &connection));
    TRY(connection_login(cli, &connection, CKU_USER));
    AUTO_TABLE *table = NULL;
    TRY(table_new(columns, sizeof columns / sizeof columns[0], &table));
    TRY(add_rows(&connection, attrs_of(&wanted), table));
    return table_print(table, cli->json);
}

static enum rc parse_handle(const char *text, uint64_t *out)
{
    if (cli_number("a handle", text, 1, UINT64_MAX, out) != RC_OK)
        return rc_fail(RC_BAD_ARGUMENT, "%s is no handle: qhsm key list shows them", text);
    return RC_OK;
}

static const struct column attribute_columns[] = {{"ATTRIBUTE", "attribute", CELL_TEXT},
                                                  {"VALUE", "value", CELL_TEXT}};

static enum rc add_attribute(struct table *table, const Qhsm__AttributeResult *result)
{
    const struct attr_info *info = attr_info(result->type);
    if (info == NULL)
        TRY(table_cell(table, "0x%08llx", (unsigned long long)result->type));
    else
        TRY(table_cell(table, "%s", info->name));
    if (result->rc != 0)
        return table_cell(table, "(%s)", rc_info(rc_from_wire(result->rc))->name);
    AUTO_BUF text = BUF_INIT;
    TRY(key_attribute_text(info, bytes_of(result->value.data, result->value.len), &text));
    return table_cell(table, "%s", buf_str(&text));
}

static enum rc key_show(struct cli *cli)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__GetAttributesRequest get = QHSM__GET_ATTRIBUTES_REQUEST__INIT;
    TRY(parse_handle(cli->arguments[0], &get.handle));
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(connection_login(cli, &connection, CKU_USER));
    AUTO_TABLE *table = NULL;
    TRY(table_new(attribute_columns, 2, &table));
    request.body_case = QHSM__REQUEST__BODY_GET_ATTRIBUTES;
    request.get_attributes = &get;
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(&connection, &request, false, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_ATTRIBUTES)
        rc = rc_fail(RC_PROTOCOL, "no attributes in the answer");
    for (size_t i = 0; rc == RC_OK && i < reply.msg->attributes->n_results; i++)
        rc = add_attribute(table, reply.msg->attributes->results[i]);
    rpc_reply_clear(connection.client, &reply);
    TRY(rc);
    return table_print(table, cli->json);
}

/* ---- making and destroying
 * -------------------------------------------------------------------------------------- */

static enum rc print_handles(struct connection *connection, Qhsm__Request *request)
{
    struct rpc_reply reply = {0};
    enum rc rc = connection_call(connection, request, true, &reply);
    if (rc == RC_OK && reply.msg->body_case != QHSM__RESPONSE__BODY_OBJECT)
        rc = rc_fail(RC_PROTOCOL, "no object in the answer");
    for (size_t i = 0; rc == RC_OK && i < reply.msg->object->n_objects; i++)
        printf("%s %llu\n", key_class_name(reply.msg->object->objects[i]->object_class),
               (unsigned long long)reply.msg->object->objects[i]->handle);
    rpc_reply_clear(connection->client, &reply);
    return rc;
}

static enum rc add_common(struct attr_list *list, struct buf *id)
{
    TRY(add_names(list, id));
    return attr_list_add(list, CKA_TOKEN, attr_true());
}

static enum rc add_private(struct attr_list *list, struct buf *id)
{
    TRY(add_common(list, id));
    TRY(attr_list_add(list, CKA_PRIVATE, attr_true()));
    TRY(attr_list_add(list, CKA_SENSITIVE, attr_true()));
    return attr_list_add(list, CKA_EXTRACTABLE, attr_bool(options.is_extractable));
}

static enum rc key_generate(struct cli *cli)
{
    struct key_kind kind;
    TRY(key_kind_parse(cli->arguments[0], &kind));
    AUTO_BUF public_id = BUF_INIT;
    AUTO_BUF private_id = BUF_INIT;
    struct attr_list public_attrs = {.count = 0};
    struct attr_list private_attrs = {.count = 0};
    TRY(add_common(&public_attrs, &public_id));
    TRY(add_private(&private_attrs, &private_id));
    TRY(key_kind_attributes(&kind, kind.is_pair ? &public_attrs : &private_attrs));
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(connection_login(cli, &connection, CKU_USER));
    Qhsm__Attribute storage[2][ATTRS_MAX];
    Qhsm__Attribute *pointers[2][ATTRS_MAX];
    Qhsm__Mechanism mechanism = QHSM__MECHANISM__INIT;
    mechanism.type = kind.mechanism->type;
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__GenerateKeyRequest one = QHSM__GENERATE_KEY_REQUEST__INIT;
    Qhsm__GenerateKeyPairRequest pair = QHSM__GENERATE_KEY_PAIR_REQUEST__INIT;
    size_t count = codec_template_pb(attrs_of(&private_attrs), storage[0], pointers[0]);
    if (kind.is_pair) {
        pair.slot = connection.slot;
        pair.mechanism = &mechanism;
        pair.private_attributes = pointers[0];
        pair.n_private_attributes = count;
        pair.n_public_attributes =
            codec_template_pb(attrs_of(&public_attrs), storage[1], pointers[1]);
        pair.public_attributes = pointers[1];
        request.body_case = QHSM__REQUEST__BODY_GENERATE_KEY_PAIR;
        request.generate_key_pair = &pair;
    } else {
        one.slot = connection.slot;
        one.mechanism = &mechanism;
        one.attributes = pointers[0];
        one.n_attributes = count;
        request.body_case = QHSM__REQUEST__BODY_GENERATE_KEY;
        request.generate_key = &one;
    }
    return print_handles(&connection, &request);
}

static enum rc create(struct connection *connection, struct attrs attrs)
{
    Qhsm__Attribute storage[ATTRS_MAX];
    Qhsm__Attribute *pointers[ATTRS_MAX];
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__CreateObjectRequest body = QHSM__CREATE_OBJECT_REQUEST__INIT;
    body.slot = connection->slot;
    body.n_attributes = codec_template_pb(attrs, storage, pointers);
    body.attributes = pointers;
    request.body_case = QHSM__REQUEST__BODY_CREATE_OBJECT;
    request.create_object = &body;
    return print_handles(connection, &request);
}

static enum rc key_import(struct cli *cli)
{
    struct key_file file;
    TRY(key_file_read(cli->arguments[0], options.type, &file));
    AUTO_BUF public_id = BUF_INIT;
    AUTO_BUF private_id = BUF_INIT;
    struct attr_list *private_attrs = &file.private_attrs;
    AUTO_CONNECTION connection = {0};
    enum rc rc = add_private(private_attrs, &private_id);
    if (rc == RC_OK)
        rc = connection_open(cli, &connection);
    if (rc == RC_OK)
        rc = connection_login(cli, &connection, CKU_USER);
    if (rc == RC_OK)
        rc = create(&connection, attrs_of(private_attrs));
    if (rc == RC_OK && file.public_attrs.count > 0)
        rc = add_common(&file.public_attrs, &public_id);
    if (rc == RC_OK && file.public_attrs.count > 0)
        rc = create(&connection, attrs_of(&file.public_attrs));
    key_file_clear(&file);
    return rc;
}

static enum rc key_destroy(struct cli *cli)
{
    Qhsm__Request request = QHSM__REQUEST__INIT;
    Qhsm__DestroyObjectRequest body = QHSM__DESTROY_OBJECT_REQUEST__INIT;
    AUTO_CONNECTION connection = {0};
    TRY(connection_open(cli, &connection));
    TRY(connection_login(cli, &connection, CKU_USER));
    for (int i = 0; i < cli->argument_count; i++) {
        TRY(parse_handle(cli->arguments[i], &body.handle));
        request.body_case = QHSM__REQUEST__BODY_DESTROY_OBJECT;
        request.destroy_object = &body;
        TRY(connection_do(&connection, &request, true));
    }
    return RC_OK;
}

#define KEY_COMMON (CLI_CONNECTS | CLI_TOKEN | CLI_PIN)

const struct command commands_key[] = {
    {.noun = "key",
     .verb = "list",
     .arguments = "",
     .summary = "List the keys, certificates and data that the user sees",
     .common = KEY_COMMON | CLI_OUTPUT | CLI_READ,
     .options = select_argp,
     .parse = parse,
     .run = key_list},
    {.noun = "key",
     .verb = "show",
     .arguments = "HANDLE",
     .summary = "Show an object's attributes that may be read",
     .common = KEY_COMMON | CLI_OUTPUT | CLI_READ,
     .arguments_min = 1,
     .arguments_max = 1,
     .run = key_show},
    {.noun = "key",
     .verb = "generate",
     .arguments = "KIND",
     .summary = "Generate a key or a key pair",
     .text = "KIND is rsa:BITS, ec:CURVE (P-224, P-256, P-384, P-521, secp256k1), ed25519, ed448, "
             "x25519, x448, ml-dsa:44, ml-dsa:65, ml-dsa:87 (where the HSM's libcrypto has it), "
             "aes:BITS or "
             "generic:BYTES.",
     .common = KEY_COMMON,
     .arguments_min = 1,
     .arguments_max = 1,
     .options = generate_argp,
     .parse = parse,
     .run = key_generate},
    {.noun = "key",
     .verb = "import",
     .arguments = "FILE",
     .summary = "Import a private key (PEM) or a secret key (raw)",
     .text = "A PEM private key (PKCS#8 or traditional, without passphrase) becomes a private and "
             "a public key object; with "
             "--type the file's bytes become a secret key. - reads standard input.",
     .common = KEY_COMMON,
     .arguments_min = 1,
     .arguments_max = 1,
     .options = import_argp,
     .parse = parse,
     .run = key_import},
    {.noun = "key",
     .verb = "destroy",
     .arguments = "HANDLE...",
     .summary = "Destroy objects; there is no way back",
     .common = KEY_COMMON,
     .arguments_min = 1,
     .arguments_max = 1000,
     .run = key_destroy},
    {0}};
