/* SPDX-License-Identifier: Apache-2.0 */
/* Words to systemd, sd_notify(3): a datagram to NOTIFY_SOCKET. */
#ifndef QHSM_COMMON_NOTIFY_H
#define QHSM_COMMON_NOTIFY_H

/* "READY=1", "STOPPING=1", "RELOADING=1" ...; nothing happens when not under systemd. */
void notify_send(const char *state);
/* RELOADING=1 with the time that Type=notify-reload asks for. */
void notify_reloading(void);

#endif
