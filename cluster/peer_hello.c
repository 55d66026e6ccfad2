/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading of hello and acknowledgement. */
#include "cluster/peer_hello.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "common/buf.h"

#define HELLO_MAGIC 0x31524545504d5351U /* "QSMPEER1" */
#define ACK_MAGIC   0x314b4351U         /* "QCK1" */

static void put_u64(uint8_t *out, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static size_t padded(size_t len)
{
    return (len + 7) / 8 * 8;
}

size_t peer_hello_write(uint64_t node, const char *address, uint8_t out[PEER_HELLO_LEN_MAX])
{
    size_t len = strlen(address) + 1;
    memset(out, 0, PEER_HELLO_LEN_MAX);
    put_u64(out, HELLO_MAGIC);
    put_u64(out + 8, node);
    put_u64(out + 16, padded(len));
    memcpy(out + PEER_HELLO_FIXED_LEN, address, len);
    return PEER_HELLO_FIXED_LEN + padded(len);
}

enum rc peer_hello_len(const uint8_t *hello, size_t *out_len)
{
    struct reader in = reader_of(bytes_of(hello, PEER_HELLO_FIXED_LEN));
    uint64_t magic = reader_u64(&in);
    (void)reader_u64(&in);
    uint64_t len = reader_u64(&in);
    if (magic != HELLO_MAGIC || len == 0 || len % 8 != 0 || len > PEER_ADDRESS_MAX + 1)
        return rc_fail(RC_PROTOCOL, "a malformed hello");
    *out_len = PEER_HELLO_FIXED_LEN + (size_t)len;
    return RC_OK;
}

enum rc peer_hello_read(struct bytes hello, uint64_t *out_node,
                        char out_address[PEER_ADDRESS_MAX + 1])
{
    struct reader in = reader_of(bytes_slice(hello, 8, 8));
    struct bytes address = bytes_slice(hello, PEER_HELLO_FIXED_LEN, hello.len);
    size_t len = 0;
    while (len < address.len && address.ptr[len] > ' ' && address.ptr[len] < 0x7f)
        len++;
    if (len == 0 || len > PEER_ADDRESS_MAX || padded(len + 1) != address.len)
        return rc_fail(RC_PROTOCOL, "a hello with a malformed address");
    for (size_t i = len; i < address.len; i++)
        if (address.ptr[i] != 0)
            return rc_fail(RC_PROTOCOL, "a hello with a malformed address");
    *out_node = reader_u64(&in);
    memcpy(out_address, address.ptr, len);
    out_address[len] = 0;
    return RC_OK;
}

const char *peer_verdict_text(enum peer_verdict verdict)
{
    static const char *const texts[PEER_VERDICT_COUNT] = {
        [PEER_WELCOME] = "welcome",
        [PEER_NO_NODE] = "the certificate is not of a node of this cluster",
        [PEER_OTHER_NUMBER] = "the certificate is of another node",
        [PEER_NO_MEMBER] = "the node is not a member of this cluster",
        [PEER_MALFORMED] = "the hello is malformed",
    };
    return verdict < PEER_VERDICT_COUNT ? texts[verdict] : "refused";
}

void peer_ack_write(enum peer_verdict verdict, uint8_t out[PEER_ACK_LEN])
{
    put_u64(out, ACK_MAGIC | (uint64_t)verdict << 32);
}

enum rc peer_ack_read(const uint8_t ack[PEER_ACK_LEN])
{
    struct reader in = reader_of(bytes_of(ack, PEER_ACK_LEN));
    uint32_t magic = reader_u32(&in);
    uint32_t verdict = reader_u32(&in);
    if (magic != ACK_MAGIC)
        return rc_fail(RC_PROTOCOL, "the peer speaks another protocol");
    if (verdict != PEER_WELCOME)
        return rc_fail(RC_NOT_PERMITTED, "the peer refuses us: %s",
                       peer_verdict_text((enum peer_verdict)verdict));
    return RC_OK;
}

void peer_socket_options(int fd)
{
    const int on = 1;
    const int seconds = 1;
    const int probes = 3;
    const unsigned timeout_ms = PEER_SETUP_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}
