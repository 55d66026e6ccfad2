/* SPDX-License-Identifier: Apache-2.0 */
/* raft_uv_transport, version 1, of a cluster of one. */
#include "cluster/lone_transport.h"

static int lone_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
    (void)transport;
    (void)id;
    (void)address;
    return 0;
}

static int lone_listen(struct raft_uv_transport *transport, raft_uv_accept_cb accepted)
{
    (void)transport;
    (void)accepted;
    return 0;
}

static int lone_connect(struct raft_uv_transport *transport, struct raft_uv_connect *request,
                        raft_id id, const char *address, raft_uv_connect_cb done)
{
    (void)transport;
    (void)request;
    (void)id;
    (void)address;
    (void)done;
    return RAFT_NOCONNECTION;
}

static void lone_close(struct raft_uv_transport *transport, raft_uv_transport_close_cb done)
{
    done(transport);
}

void lone_transport_init(struct raft_uv_transport *transport)
{
    *transport = (struct raft_uv_transport){
        .version = 1,
        .init = lone_init,
        .listen = lone_listen,
        .connect = lone_connect,
        .close = lone_close,
    };
}
