/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of signed digests over the trail's files, and its check. Source: AWS CloudTrail User
 * Guide, "CloudTrail digest file structure" and "Custom implementations of log file integrity
 * validation". The signature of NAME.json is in NAME.json.sig, in hex. */
#ifndef QHSM_KMS_AUDIT_DIGEST_H
#define QHSM_KMS_AUDIT_DIGEST_H

#include <jansson.h>

#include "common/buf.h"

#define AUDIT_KEY_LABEL "qhsm-kms-trail"

struct audit_verdict {
    size_t digests; /* that are right */
    size_t files;   /* that are as the digests say */
    size_t waiting; /* complete files that no digest names yet */
    size_t faults;
};
/* One line a finding: "FILE: what", is_fault. */
typedef void (*audit_finding)(void *context, const char *file, const char *what, bool is_fault);
/* Checks every digest's signature, that each names the one before, and every file's hash.
 * public_der: SubjectPublicKeyInfo of the trail's key (the HSM's AUDIT_KEY_LABEL); empty: the keys
 * that lie in the directory are believed. RC_IO; findings are no errors. */
enum rc audit_verify(const char *dir, struct bytes public_der, audit_finding finding, void *context,
                     struct audit_verdict *out);

/* The trail's public key, as the HSM has it. RC_NOT_FOUND: no digest was ever signed. */
struct hsm_client;
enum rc audit_digest_key(struct hsm_client *hsm, struct buf *out_public_der);
/* `qhsm-kms trail-verify [DIR]`: RC_TAMPERED when there is a fault. */
struct kms;
struct kms_config;
enum rc audit_verify_run(const struct kms_config *config, struct kms *kms, int count,
                         char **arguments);
/* What is signed of a digest: its end's time, its name, its hash, the signature before ("null" for
 * the first), a line each. */
enum rc audit_digest_signed_text(const char *name, struct bytes content, struct buf *out);
/* "trail-key-FINGERPRINT.der", of SHA-256 over the key's SubjectPublicKeyInfo. */
#define AUDIT_KEY_FILE_PREFIX "trail-key-"
enum rc audit_digest_fingerprint(struct bytes public_der, char out[65]);

#endif
