/* SPDX-License-Identifier: Apache-2.0 */
/* The first words of a link: the dialling side's hello {magic, number, length, address padded with
 * zeros}, and the accepting side's acknowledgement {magic, verdict}. Little-endian. */
#ifndef QHSM_CLUSTER_PEER_HELLO_H
#define QHSM_CLUSTER_PEER_HELLO_H

#include "cluster/peer_link.h"

/* Gives the length. */
size_t peer_hello_write(uint64_t node, const char *address, uint8_t out[PEER_HELLO_LEN_MAX]);
/* How long is the hello that begins with these bytes, PEER_HELLO_FIXED_LEN of them? RC_PROTOCOL. */
enum rc peer_hello_len(const uint8_t *hello, size_t *out_len);
/* Of a whole one. RC_PROTOCOL. */
enum rc peer_hello_read(struct bytes hello, uint64_t *out_node,
                        char out_address[PEER_ADDRESS_MAX + 1]);
void peer_ack_write(enum peer_verdict verdict, uint8_t out[PEER_ACK_LEN]);
/* RC_OK: welcome. RC_NOT_PERMITTED with what the other side says, RC_PROTOCOL. */
enum rc peer_ack_read(const uint8_t ack[PEER_ACK_LEN]);
const char *peer_verdict_text(enum peer_verdict verdict);
/* Of every socket between peers: no delay, and a dead peer is noticed within seconds. */
void peer_socket_options(int fd);

#endif
