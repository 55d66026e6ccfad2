#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every algorithm of the KMS front end against the openssl command line, and grants, imports, Regions, as a client sees them."""
import base64
import ctypes
import datetime
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
from botocore.exceptions import ClientError

ENDPOINT = os.environ["QHSM_KMS_ENDPOINT"]
REGION = os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"
REGION2 = os.environ.get("QHSM_KMS_REGION2", "")
work = tempfile.mkdtemp(dir=os.environ.get("work"))


def client(region=REGION):
    return boto3.client("kms", endpoint_url=ENDPOINT, region_name=region,
                        config=botocore.config.Config(retries={"mode": "standard", "max_attempts": 8}, read_timeout=120))


kms = client()


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


def call(operation, region=REGION, **members):
    """What this botocore's model has no words for: the JSON itself, signed. Like AWS's clients, twice again where the server says
    that it is at fault (an RSA key takes its time on a busy machine)."""
    for attempt in range(3):
        try:
            return call_once(operation, region, **members)
        except Refused as error:
            if error.code != "KMSInternalException" or attempt > 1:
                raise
        time.sleep(0.5)


def call_once(operation, region, **members):
    def plain(value):
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value
    body = json.dumps({k: plain(v) for k, v in members.items()})
    request = botocore.awsrequest.AWSRequest("POST", ENDPOINT + "/", data=body, headers={
        "X-Amz-Target": "TrentService." + operation, "Content-Type": "application/x-amz-json-1.1"})
    botocore.auth.SigV4Auth(boto3.Session().get_credentials(), "kms", region).add_auth(request)
    try:
        with urllib.request.urlopen(urllib.request.Request(ENDPOINT + "/", body.encode(), dict(request.headers.items()))) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        found = json.loads(error.read())
        raise Refused(found["__type"], found.get("message", "")) from None


def openssl(*words, data=None, ok=True):
    done = subprocess.run(["openssl", *words], input=data, capture_output=True, check=False)
    if ok and done.returncode != 0:
        raise AssertionError(f"openssl {words}: {done.stderr.decode()}")
    return done.stdout


def aes_kwp(key, value):
    """RFC 5649 by libcrypto itself: the command's `enc` refuses wrapping from OpenSSL 3.5 on."""
    crypto = ctypes.CDLL("libcrypto.so.3")
    for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_wrap_pad"):
        getattr(crypto, name).restype = ctypes.c_void_p
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(crypto.EVP_aes_256_wrap_pad())
    out, length = ctypes.create_string_buffer(len(value) + 16), ctypes.c_int(0)
    crypto.EVP_CIPHER_CTX_set_flags(context, 1)  # EVP_CIPHER_CTX_FLAG_WRAP_ALLOW
    done = (crypto.EVP_EncryptInit_ex(context, cipher, None, key, None) == 1
            and crypto.EVP_EncryptUpdate(context, out, ctypes.byref(length), value, len(value)) == 1)
    crypto.EVP_CIPHER_CTX_free(context)
    assert done, "libcrypto does not wrap"
    return out.raw[:length.value]


def path(name, data=None):
    name = os.path.join(work, name)
    if data is not None:
        with open(name, "wb") as file:
            file.write(data)
    return name


def content(name):
    with open(path(name), "rb") as file:
        return file.read()


def refused(code, text, function, *args, **members):
    try:
        function(*args, **members)
    except ClientError as error:
        found, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    except Refused as error:
        found, said = error.code, error.text
    else:
        raise AssertionError(f"worked, but should be {code}")
    assert found == code, f"{found} ({said}) instead of {code}"
    if text is not None:
        assert (said == text if text == "" else text in said), f"'{said}' instead of '{text}'"


def new_key(spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT", region=REGION, **members):
    return call("CreateKey", region, KeySpec=spec, KeyUsage=usage, **members)["KeyMetadata"]


def public_key(key, name):
    der = base64.b64decode(call("GetPublicKey", KeyId=key)["PublicKey"])
    return path(name, der)


# ---- cases

def case_encryption_context_is_bound_and_has_no_order():
    key = new_key()["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"text", EncryptionContext={"a": "1", "b": "2"})
    assert sealed["KeyId"].endswith(":key/" + key) and sealed["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    blob = sealed["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"b": "2", "a": "1"})
    assert opened["Plaintext"] == b"text" and opened["KeyId"] == sealed["KeyId"]
    for wrong in ({}, {"a": "1"}, {"a": "1", "b": "3"}, {"A": "1", "b": "2"}, {"a": "1b", "": "2"}):
        refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong)
    assert len(call("Decrypt", CiphertextBlob=blob, EncryptionContext={"a": "1", "b": "2"})["KeyMaterialId"]) == 64


def case_a_changed_ciphertext_does_not_open():
    key = new_key()["KeyId"]
    other = new_key()["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for at in range(len(blob)):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]
        refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=changed)
    for cut in (1, 2, 30, len(blob) - 1):
        refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=blob[:cut])
    refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=os.urandom(200))
    refused("IncorrectKeyException", "The key ID in the request does not identify", kms.decrypt, CiphertextBlob=blob, KeyId=other)
    head = blob[:2] + b"00000000-0000-0000-0000-000000000000" + blob[38:54]
    absent = head + hashlib.sha256(head).digest()[:4] + blob[58:]
    refused("AccessDeniedException", "on the resource associated with this ciphertext", kms.decrypt, CiphertextBlob=absent)


def case_sizes_of_plaintexts_are_those_of_the_algorithm():
    key = new_key()["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"p" * 4096)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p" * 4096
    refused("ValidationException", "less than or equal to 4096", kms.encrypt, KeyId=key, Plaintext=b"p" * 4097)
    rsa = new_key("RSA_2048")["KeyId"]
    for algorithm, limit in (("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)):
        kms.encrypt(KeyId=rsa, Plaintext=b"p" * limit, EncryptionAlgorithm=algorithm)
        refused("ValidationException", f"Algorithm {algorithm} and key spec RSA_2048 cannot encrypt data larger than {limit} bytes.",
                kms.encrypt, KeyId=rsa, Plaintext=b"p" * (limit + 1), EncryptionAlgorithm=algorithm)
    refused("InvalidKeyUsageException", "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
            kms.encrypt, KeyId=rsa, Plaintext=b"p")
    refused("ValidationException", None, kms.encrypt, KeyId=rsa, Plaintext=b"p", EncryptionAlgorithm="RSAES_OAEP_SHA_1",
            EncryptionContext={"a": "b"})


OAEP = {"RSAES_OAEP_SHA_1": "sha1", "RSAES_OAEP_SHA_256": "sha256"}


def case_what_openssl_encrypts_by_oaep_is_decrypted():
    for spec in ("RSA_2048", "RSA_3072", "RSA_4096"):
        key = new_key(spec)["KeyId"]
        public = public_key(key, "oaep.der")
        plain = path("oaep.plain", b"from openssl")
        for algorithm, digest in OAEP.items():
            blob = openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", public, "-in", plain, "-pkeyopt",
                           "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + digest, "-pkeyopt", "rsa_mgf1_md:" + digest)
            opened = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
            assert opened["Plaintext"] == b"from openssl"
            refused("InvalidCiphertextException", "", kms.decrypt, KeyId=key, CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]),
                    EncryptionAlgorithm=algorithm)
            own = kms.encrypt(KeyId=key, Plaintext=b"own", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
            assert kms.decrypt(KeyId=key, CiphertextBlob=own, EncryptionAlgorithm=algorithm)["Plaintext"] == b"own"


DIGESTS = {"256": "sha256", "384": "sha384", "512": "sha512"}


def verify_by_openssl(algorithm, public, message, signature):
    signed = path("signature", signature)
    digest = DIGESTS[algorithm[-3:]]
    words = ["dgst", "-" + digest, "-verify", path("public.pem"), "-signature", signed]
    if "PSS" in algorithm:
        words += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    openssl("pkey", "-pubin", "-inform", "DER", "-in", public, "-out", path("public.pem"))
    openssl(*words, path("message", message))


SIGNING = {
    "RSA_2048": ["RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256",
                 "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512"],
    "RSA_3072": ["RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256"],
    "ECC_NIST_P256": ["ECDSA_SHA_256"],
    "ECC_NIST_P384": ["ECDSA_SHA_384"],
    "ECC_NIST_P521": ["ECDSA_SHA_512"],
    "ECC_SECG_P256K1": ["ECDSA_SHA_256"],
}


def case_signatures_are_verified_by_openssl():
    message = b"m" * 4096
    for spec, algorithms in SIGNING.items():
        key = new_key(spec, "SIGN_VERIFY")["KeyId"]
        public = public_key(key, "signer.der")
        for algorithm in algorithms:
            digest = hashlib.new(DIGESTS[algorithm[-3:]], message).digest()
            for kind, data in (("RAW", message), ("DIGEST", digest)):
                signature = kms.sign(KeyId=key, Message=data, MessageType=kind, SigningAlgorithm=algorithm)["Signature"]
                verify_by_openssl(algorithm, public, message, signature)
                assert kms.verify(KeyId=key, Message=digest, MessageType="DIGEST", Signature=signature,
                                  SigningAlgorithm=algorithm)["SignatureValid"]
                refused("KMSInvalidSignatureException", "", kms.verify, KeyId=key, Message=b"other", Signature=signature,
                        SigningAlgorithm=algorithm)
            refused("KMSInvalidSignatureException", "", kms.verify, KeyId=key, Message=message, Signature=b"no signature",
                    SigningAlgorithm=algorithm)
            refused("ValidationException", f"Digest is invalid length for algorithm {algorithm}.", kms.sign, KeyId=key,
                    Message=b"short", MessageType="DIGEST", SigningAlgorithm=algorithm)
        refused("ValidationException", "less than or equal to 4096", kms.sign, KeyId=key, Message=message + b"m",
                SigningAlgorithm=algorithms[0])
    refused("InvalidKeyUsageException", "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_SECG_P256K1.", kms.sign,
            KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_384")
    refused("InvalidKeyUsageException", "key usage is SIGN_VERIFY which is not valid for Encrypt.", kms.encrypt, KeyId=key,
            Plaintext=b"p")


def case_what_openssl_signs_is_verified():
    """By an imported key, whose private half openssl has as well."""
    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-outform", "DER")
    key = imported("ECC_NIST_P256", "SIGN_VERIFY", pkcs8(private), "RSAES_OAEP_SHA_256", "RSA_3072")
    openssl("pkey", "-inform", "DER", "-in", path("private.der", private), "-out", path("private.pem"))
    signature = openssl("dgst", "-sha256", "-sign", path("private.pem"), path("message", b"by openssl"))
    assert kms.verify(KeyId=key, Message=b"by openssl", Signature=signature, SigningAlgorithm="ECDSA_SHA_256")["SignatureValid"]


def case_ed25519_signs_messages():
    key = new_key("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")["KeyId"]
    public = public_key(key, "ed.der")
    signature = base64.b64decode(call("Sign", KeyId=key, Message=b"message", SigningAlgorithm="ED25519_SHA_512")["Signature"])
    openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", public, "-in", path("message", b"message"),
            "-sigfile", path("signature", signature))
    assert call("Verify", KeyId=key, Message=b"message", Signature=signature, SigningAlgorithm="ED25519_SHA_512")["SignatureValid"]
    refused("KMSInvalidSignatureException", "", call, "Verify", KeyId=key, Message=b"massage", Signature=signature,
            SigningAlgorithm="ED25519_SHA_512")
    refused("ValidationException", "MessageType DIGEST", call, "Sign", KeyId=key, Message=b"d" * 64, MessageType="DIGEST",
            SigningAlgorithm="ED25519_SHA_512")
    digest = hashlib.sha512(b"message").digest()
    signature = base64.b64decode(call("Sign", KeyId=key, Message=digest, MessageType="DIGEST",
                                      SigningAlgorithm="ED25519_PH_SHA_512")["Signature"])
    assert call("Verify", KeyId=key, Message=digest, MessageType="DIGEST", Signature=signature,
                SigningAlgorithm="ED25519_PH_SHA_512")["SignatureValid"]
    refused("KMSInvalidSignatureException", "", call, "Verify", KeyId=key, Message=digest, Signature=signature,
            SigningAlgorithm="ED25519_SHA_512")


def case_ml_dsa_signs_messages_and_their_representatives():
    """Where the HSMs' libcrypto has it; else CreateKey says what is missing."""
    for spec, size in (("ML_DSA_44", 1312), ("ML_DSA_65", 1952), ("ML_DSA_87", 2592)):
        try:
            key = call("CreateKey", KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        except Refused as error:
            assert error.code == "UnsupportedOperationException" and "libcrypto lacks ML-DSA" in error.text, error
            print(f"{spec}: this HSM's libcrypto lacks it")
            continue
        assert key["SigningAlgorithms"] == ["ML_DSA_SHAKE_256"], key
        told = call("GetPublicKey", KeyId=key["KeyId"])
        der = base64.b64decode(told["PublicKey"])
        assert told["KeySpec"] == spec and told["SigningAlgorithms"] == ["ML_DSA_SHAKE_256"]
        message = b"m" * 4096
        mu = hashlib.shake_256(hashlib.shake_256(der[-size:]).digest(64) + b"\0\0" + message).digest(64)
        for kind, data in (("RAW", message), ("EXTERNAL_MU", mu)):
            members = {"KeyId": key["KeyId"], "SigningAlgorithm": "ML_DSA_SHAKE_256"}
            signature = base64.b64decode(call("Sign", Message=data, MessageType=kind, **members)["Signature"])
            openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", path("ml.der", der), "-in",
                    path("message", message), "-sigfile", path("signature", signature))
            assert call("Verify", Message=message, Signature=signature, **members)["SignatureValid"]
            assert call("Verify", Message=mu, MessageType="EXTERNAL_MU", Signature=signature, **members)["SignatureValid"]
            refused("KMSInvalidSignatureException", "", call, "Verify", Message=b"massage", Signature=signature, **members)
        refused("ValidationException", "Digest is invalid length for algorithm ML_DSA_SHAKE_256.", call, "Sign", Message=mu[1:],
                MessageType="EXTERNAL_MU", **members)
        refused("ValidationException", "MessageType DIGEST", call, "Sign", Message=mu, MessageType="DIGEST", **members)


def case_macs_are_those_of_the_value():
    for bits, name in ((224, "sha224"), (256, "sha256"), (384, "sha384"), (512, "sha512")):
        value = os.urandom(bits // 8)
        key = imported(f"HMAC_{bits}", "GENERATE_VERIFY_MAC", value, "RSAES_OAEP_SHA_1", "RSA_2048")
        mac = kms.generate_mac(KeyId=key, Message=b"message", MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]
        assert mac == hmac.new(value, b"message", name).digest()
        assert kms.verify_mac(KeyId=key, Message=b"message", MacAlgorithm=f"HMAC_SHA_{bits}", Mac=mac)["MacValid"]
        refused("KMSInvalidMacException", "", kms.verify_mac, KeyId=key, Message=b"massage", MacAlgorithm=f"HMAC_SHA_{bits}", Mac=mac)
        refused("KMSInvalidMacException", "", kms.verify_mac, KeyId=key, Message=b"message", MacAlgorithm=f"HMAC_SHA_{bits}", Mac=mac[:-1])
    refused("InvalidKeyUsageException", "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_512.", kms.generate_mac, KeyId=key,
            Message=b"m", MacAlgorithm="HMAC_SHA_256")
    made = new_key("HMAC_256", "GENERATE_VERIFY_MAC")["KeyId"]
    assert len(kms.generate_mac(KeyId=made, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]) == 32


def case_data_keys_open_to_what_was_given():
    key = new_key()["KeyId"]
    for members, length in (({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32), ({"NumberOfBytes": 1024}, 1024)):
        made = kms.generate_data_key(KeyId=key, EncryptionContext={"f": "1"}, **members)
        assert len(made["Plaintext"]) == length
        assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"f": "1"})["Plaintext"] == made["Plaintext"]
        hidden = kms.generate_data_key_without_plaintext(KeyId=key, **members)
        assert "Plaintext" not in hidden
        assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == length
    for wrong in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        refused("ValidationException", "Please specify either number of bytes or key spec.", kms.generate_data_key, KeyId=key, **wrong)
    refused("InvalidKeyUsageException", None, kms.generate_data_key, KeyId=new_key("RSA_2048")["KeyId"], KeySpec="AES_256")
    refused("UnsupportedOperationException", None, call, "GenerateDataKey", KeyId=key, KeySpec="AES_256",
            Recipient={"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "YQ=="})


def case_data_key_pairs_are_pkcs8_and_belong_together():
    key = new_key()["KeyId"]
    for spec in ("RSA_2048", "RSA_3072", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"):
        made = call("GenerateDataKeyPair", KeyId=key, KeyPairSpec=spec, EncryptionContext={"p": spec})
        private = base64.b64decode(made["PrivateKeyPlaintext"])
        public = openssl("pkey", "-inform", "DER", "-in", path("pair.der", private), "-pubout", "-outform", "DER")
        assert public == base64.b64decode(made["PublicKey"]) and made["KeyPairSpec"] == spec
        opened = kms.decrypt(CiphertextBlob=base64.b64decode(made["PrivateKeyCiphertextBlob"]), EncryptionContext={"p": spec})
        assert opened["Plaintext"] == private
    hidden = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    assert "PrivateKeyPlaintext" not in hidden
    private = kms.decrypt(CiphertextBlob=hidden["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert openssl("pkey", "-inform", "DER", "-in", path("pair.der", private), "-pubout", "-outform", "DER") == hidden["PublicKey"]


def case_agreement_is_that_of_openssl():
    for spec, curve in (("ECC_NIST_P256", "P-256"), ("ECC_NIST_P384", "P-384"), ("ECC_NIST_P521", "P-521")):
        key = new_key(spec, "KEY_AGREEMENT")["KeyId"]
        own = public_key(key, "own.der")
        private = path("peer.pem", openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve))
        peer = openssl("pkey", "-in", private, "-pubout", "-outform", "DER")
        shared = call("DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)
        openssl("pkey", "-pubin", "-inform", "DER", "-in", own, "-out", path("own.pem"))
        expected = openssl("pkeyutl", "-derive", "-inkey", private, "-peerkey", path("own.pem"))
        assert base64.b64decode(shared["SharedSecret"]) == expected and shared["KeyOrigin"] == "AWS_KMS"
    other = openssl("pkey", "-pubout", "-outform", "DER", data=openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))
    refused("ValidationException", "public key", call, "DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=other)
    refused("ValidationException", "public key", call, "DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=b"none")


def case_reencryption_goes_between_keys_and_algorithms():
    first, second, rsa = new_key()["KeyId"], new_key()["KeyId"], new_key("RSA_2048")["KeyId"]
    blob = kms.encrypt(KeyId=first, Plaintext=b"moves", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, DestinationKeyId=second,
                           DestinationEncryptionContext={"b": "2"})
    assert moved["SourceKeyId"].endswith(first) and moved["KeyId"].endswith(second)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=second, EncryptionContext={"b": "2"})["Plaintext"] == b"moves"
    refused("InvalidCiphertextException", "", kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=second)
    refused("IncorrectKeyException", None, kms.re_encrypt, CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, SourceKeyId=second,
            DestinationKeyId=second)
    out = kms.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], SourceEncryptionContext={"b": "2"}, DestinationKeyId=rsa,
                         DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert out["DestinationEncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    back = kms.re_encrypt(CiphertextBlob=out["CiphertextBlob"], SourceKeyId=rsa, SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
                          DestinationKeyId=first)
    assert kms.decrypt(CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == b"moves"
    kms.disable_key(KeyId=first)
    refused("DisabledException", "is disabled.", kms.re_encrypt, CiphertextBlob=back["CiphertextBlob"], DestinationKeyId=second)


def case_dry_runs_do_nothing():
    key = new_key()["KeyId"]
    would = "The request would have succeeded, but the DryRun option is set."
    refused("DryRunOperationException", would, call, "Encrypt", KeyId=key, Plaintext=b"p", DryRun=True)
    refused("DryRunOperationException", would, call, "GenerateDataKey", KeyId=key, KeySpec="AES_256", DryRun=True)
    refused("DryRunOperationException", would, call, "CreateGrant", KeyId=key, GranteePrincipal=root(), Operations=["Encrypt"], DryRun=True)
    assert kms.list_grants(KeyId=key)["Grants"] == []


def case_random_bytes_are_those_asked_for():
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    assert kms.generate_random(NumberOfBytes=32)["Plaintext"] != kms.generate_random(NumberOfBytes=32)["Plaintext"]
    refused("ValidationException", "NumberOfBytes is required.", kms.generate_random)


# ---- rotation, import

def case_what_was_encrypted_before_a_rotation_opens_after_it():
    key = new_key()["KeyId"]
    blobs = []
    for number in range(3):
        blobs.append(kms.encrypt(KeyId=key, Plaintext=b"%d" % number)["CiphertextBlob"])
        call("RotateKeyOnDemand", KeyId=key)
        time.sleep(0.3)
    found = [call("Decrypt", CiphertextBlob=blob) for blob in blobs]
    assert [base64.b64decode(one["Plaintext"]) for one in found] == [b"0", b"1", b"2"]
    assert len({one["KeyMaterialId"] for one in found}) >= 2


def pkcs8(der):
    return openssl("pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER", "-in", path("any.der", der))


def wrap(value, algorithm, public):
    digest = "sha256" if algorithm.endswith("256") else "sha1"
    if algorithm.startswith("RSA_AES"):
        aes = os.urandom(32)
        body = aes_kwp(aes, value)
        return wrap(aes, "RSAES_OAEP_" + algorithm[-7:].lstrip("_"), public) + body
    return openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", public, "-in", path("value", value), "-pkeyopt",
                   "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:" + digest, "-pkeyopt", "rsa_mgf1_md:" + digest)


def wrapped_for(key, value, algorithm, wrapping):
    given = call("GetParametersForImport", KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=wrapping)
    assert abs(given["ParametersValidTo"] - time.time() - 86400) < 300
    return given["ImportToken"], wrap(value, algorithm, path("wrapping.der", base64.b64decode(given["PublicKey"])))


def import_into(key, value, algorithm="RSAES_OAEP_SHA_256", wrapping="RSA_2048", valid_s=None, **members):
    token, wrapped = wrapped_for(key, value, algorithm, wrapping)
    members.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE" if valid_s is None else "KEY_MATERIAL_EXPIRES")
    if valid_s is not None:  # from now, when the wrapping key has been made
        members["ValidTo"] = time.time() + valid_s
    return call("ImportKeyMaterial", members.pop("region", REGION), KeyId=key, ImportToken=token, EncryptedKeyMaterial=wrapped, **members)


def imported(spec, usage, value, algorithm, wrapping):
    made = new_key(spec, usage, Origin="EXTERNAL")
    assert made["KeyState"] == "PendingImport"
    import_into(made["KeyId"], value, algorithm, wrapping)
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"
    return made["KeyId"]


def case_rsa_keys_are_imported_by_both_hybrid_wrappings():
    for algorithm, wrapping in (("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"), ("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")):
        private = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER")
        key = imported("RSA_2048", "SIGN_VERIFY", pkcs8(private), algorithm, wrapping)
        public = openssl("pkey", "-inform", "DER", "-in", path("private.der", private), "-pubout", "-outform", "DER")
        assert base64.b64decode(call("GetPublicKey", KeyId=key)["PublicKey"]) == public
        signature = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
        verify_by_openssl("RSASSA_PSS_SHA_256", path("public.der", public), b"m", signature)
    key = new_key("RSA_2048", "SIGN_VERIFY", Origin="EXTERNAL")["KeyId"]
    refused("UnsupportedOperationException", "is not valid for key spec RSA_2048", call, "GetParametersForImport", KeyId=key,
            WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_4096")


def case_the_same_value_alone_is_imported_again():
    value = os.urandom(32)
    key = imported("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", value, "RSAES_OAEP_SHA_256", "RSA_3072")
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    refused("IncorrectKeyMaterialException", None, import_into, key, os.urandom(32))
    gone = call("DeleteImportedKeyMaterial", KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    refused("KMSInvalidStateException", "is pending import.", kms.decrypt, CiphertextBlob=blob)
    call("DeleteImportedKeyMaterial", KeyId=key)
    refused("IncorrectKeyMaterialException", None, import_into, key, os.urandom(32))
    again = import_into(key, value, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048")
    assert again["KeyMaterialId"] == gone["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"


def case_imports_that_are_wrong_change_nothing():
    key, other = (new_key(Origin="EXTERNAL")["KeyId"] for _ in range(2))
    value = os.urandom(32)
    token, wrapped = wrapped_for(key, value, "RSAES_OAEP_SHA_256", "RSA_2048")
    into = dict(EncryptedKeyMaterial=wrapped, ImportToken=token, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    refused("InvalidImportTokenException", None, call, "ImportKeyMaterial", KeyId=other, **into)
    changed = base64.b64decode(token)
    changed = changed[:-1] + bytes([changed[-1] ^ 1])
    refused("InvalidImportTokenException", None, call, "ImportKeyMaterial", KeyId=key, **{**into, "ImportToken": changed})
    refused("InvalidCiphertextException", "", call, "ImportKeyMaterial", KeyId=key, **{**into, "EncryptedKeyMaterial": os.urandom(256)})
    short = wrap(os.urandom(16), "RSAES_OAEP_SHA_256", path("wrapping.der"))
    refused("InvalidCiphertextException", None, call, "ImportKeyMaterial", KeyId=key, **{**into, "EncryptedKeyMaterial": short})
    refused("ValidationException", "A validTo date must be set", call, "ImportKeyMaterial", KeyId=key, EncryptedKeyMaterial=wrapped, ImportToken=token)
    refused("ValidationException", None, call, "ImportKeyMaterial", KeyId=key, EncryptedKeyMaterial=wrapped, ImportToken=token, ValidTo=time.time() - 5)
    refused("UnsupportedOperationException", "origin is AWS_KMS which is not valid for this operation.", call, "GetParametersForImport",
            KeyId=new_key()["KeyId"], WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    call("ImportKeyMaterial", KeyId=key, **into)


def case_imported_material_expires():
    key = new_key(Origin="EXTERNAL")["KeyId"]
    value = os.urandom(32)
    import_into(key, value, valid_s=8)
    blob = kms.encrypt(KeyId=key, Plaintext=b"short-lived")["CiphertextBlob"]
    end = kms.describe_key(KeyId=key)["KeyMetadata"]["ValidTo"].timestamp()
    time.sleep(max(0, end - time.time()) + 0.5)
    refused("KMSInvalidStateException", "is pending import.", kms.decrypt, CiphertextBlob=blob)
    import_into(key, value)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"short-lived"


def case_new_imported_material_is_used_after_a_rotation():
    first, second = os.urandom(32), os.urandom(32)
    key = imported("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", first, "RSAES_OAEP_SHA_256", "RSA_2048")
    old = call("Encrypt", KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    before = call("Decrypt", CiphertextBlob=old)["KeyMaterialId"]
    new = import_into(key, second, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="the second")["KeyMaterialId"]
    assert new != before
    blob = call("Encrypt", KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    assert call("Decrypt", CiphertextBlob=blob)["KeyMaterialId"] == before
    refused("KMSInvalidStateException", "is pending rotation.", import_into, key, os.urandom(32), ImportType="NEW_KEY_MATERIAL")
    refused("IncorrectKeyMaterialException", None, import_into, key, first, ImportType="NEW_KEY_MATERIAL")
    call("RotateKeyOnDemand", KeyId=key)
    time.sleep(0.3)
    blob = call("Encrypt", KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    assert call("Decrypt", CiphertextBlob=blob)["KeyMaterialId"] == new
    assert base64.b64decode(call("Decrypt", CiphertextBlob=old)["Plaintext"]) == b"old"
    call("DeleteImportedKeyMaterial", KeyId=key, KeyMaterialId=before)
    refused("KMSInvalidStateException", "is pending import.", call, "Decrypt", CiphertextBlob=old)
    import_into(key, first)
    assert base64.b64decode(call("Decrypt", CiphertextBlob=old)["Plaintext"]) == b"old"


# ---- grants

def root():
    return f"arn:aws:iam::{account()}:root"


def account():
    return kms.describe_key(KeyId=case_key)["KeyMetadata"]["AWSAccountId"]


def case_grants_are_made_listed_and_removed():
    key = new_key()["KeyId"]
    asked = dict(KeyId=key, GranteePrincipal=root(), RetiringPrincipal=root(), Operations=["Encrypt", "Decrypt"], Name="named",
                 Constraints={"EncryptionContextSubset": {"team": "blue"}})
    made = kms.create_grant(**asked)
    again = kms.create_grant(**asked)
    assert made["GrantId"] == again["GrantId"] and made["GrantToken"] != again["GrantToken"]
    other = kms.create_grant(**{**asked, "Operations": ["Encrypt"]})
    assert other["GrantId"] != made["GrantId"]
    found = {grant["GrantId"]: grant for grant in kms.list_grants(KeyId=key)["Grants"]}
    assert set(found) == {made["GrantId"], other["GrantId"]}
    one = found[made["GrantId"]]
    assert one["Operations"] == ["Decrypt", "Encrypt"] and one["Constraints"] == {"EncryptionContextSubset": {"team": "blue"}}
    assert one["Name"] == "named" and one["IssuingAccount"] == root() and one["KeyId"].endswith(key)
    assert len(kms.list_grants(KeyId=key, GrantId=other["GrantId"])["Grants"]) == 1
    page = kms.list_grants(KeyId=key, Limit=1)
    assert page["Truncated"] and len(kms.list_grants(KeyId=key, Limit=1, Marker=page["NextMarker"])["Grants"]) == 1
    assert {grant["GrantId"] for grant in kms.list_retirable_grants(RetiringPrincipal=root())["Grants"]} >= set(found)
    kms.encrypt(KeyId=key, Plaintext=b"p", GrantTokens=[made["GrantToken"]])
    kms.retire_grant(GrantToken=made["GrantToken"])
    kms.revoke_grant(KeyId=key, GrantId=other["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    refused("InvalidGrantTokenException", None, kms.encrypt, KeyId=key, Plaintext=b"p", GrantTokens=["AQpA"])
    refused("NotFoundException", None, kms.revoke_grant, KeyId=key, GrantId=other["GrantId"])
    refused("InvalidGrantIdException", None, kms.revoke_grant, KeyId=key, GrantId="none")
    refused("ValidationException", "Grant token OR (grant ID, key ID) must be specified", kms.retire_grant, KeyId=key)


def case_grants_that_make_no_sense_are_refused():
    key, signer = new_key()["KeyId"], new_key("ECC_NIST_P256", "SIGN_VERIFY")["KeyId"]
    refused("ValidationException", None, kms.create_grant, KeyId=key, GranteePrincipal=root(), Operations=["Sign"])
    refused("ValidationException", None, kms.create_grant, KeyId=signer, GranteePrincipal=root(), Operations=["Encrypt"])
    refused("ValidationException", None, kms.create_grant, KeyId=signer, GranteePrincipal=root(), Operations=["Sign"],
            Constraints={"EncryptionContextEquals": {"a": "b"}})
    refused("InvalidArnException", None, kms.create_grant, KeyId=key, GranteePrincipal=root().replace(":root", ":user/nobody"),
            Operations=["Encrypt"])
    for wrong in ("all", {"EncryptionContextEquals": "all"}, {"EncryptionContextEquals": {"a": 1}}, {"EncryptionContextSubset": ["a"]}):
        refused("SerializationException", None, call, "CreateGrant", KeyId=key, GranteePrincipal=root(), Operations=["Encrypt"],
                Constraints=wrong)
    assert kms.list_grants(KeyId=key)["Grants"] == []


# ---- Regions

def case_a_multi_region_key_is_one_key():
    if not REGION2:
        return
    there = client(REGION2)
    key = new_key(MultiRegion=True)["KeyId"]
    assert key.startswith("mrk-")
    made = call("ReplicateKey", KeyId=key, ReplicaRegion=REGION2, Description="there", Tags=[{"TagKey": "a", "TagValue": "b"}])
    assert made["ReplicaKeyMetadata"]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    assert made["ReplicaTags"] == [{"TagKey": "a", "TagValue": "b"}]
    refused("AlreadyExistsException", None, call, "ReplicateKey", KeyId=key, ReplicaRegion=REGION2)
    refused("UnsupportedOperationException", None, call, "ReplicateKey", REGION2, KeyId=key, ReplicaRegion=REGION)
    blob = kms.encrypt(KeyId=key, Plaintext=b"here")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"here"
    back = there.encrypt(KeyId=key, Plaintext=b"there")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=back)["Plaintext"] == b"there"
    call("RotateKeyOnDemand", KeyId=key)
    time.sleep(0.3)
    rotated = kms.encrypt(KeyId=key, Plaintext=b"rotated")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=rotated)["Plaintext"] == b"rotated"
    call("UpdatePrimaryRegion", KeyId=key, PrimaryRegion=REGION2)
    assert there.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]["PrimaryKey"]["Region"] == REGION2
    waits = there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert waits["KeyState"] == "PendingReplicaDeletion" and "DeletionDate" not in waits
    there.cancel_key_deletion(KeyId=key)
    single = kms.encrypt(KeyId=case_key, Plaintext=b"p")["CiphertextBlob"]
    refused("AccessDeniedException", "does not exist in this Region", there.decrypt, CiphertextBlob=single)


def case_an_imported_replica_wants_the_same_value():
    if not REGION2:
        return
    value = os.urandom(32)
    key = new_key(Origin="EXTERNAL", MultiRegion=True)["KeyId"]
    import_into(key, value)
    call("ReplicateKey", KeyId=key, ReplicaRegion=REGION2)
    there = client(REGION2)
    assert there.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    given = call("GetParametersForImport", REGION2, KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    public = path("wrapping.der", base64.b64decode(given["PublicKey"]))
    into = dict(KeyId=key, ImportToken=given["ImportToken"], ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    refused("IncorrectKeyMaterialException", None, call, "ImportKeyMaterial", REGION2,
            EncryptedKeyMaterial=wrap(os.urandom(32), "RSAES_OAEP_SHA_256", public), **into)
    call("ImportKeyMaterial", REGION2, EncryptedKeyMaterial=wrap(value, "RSAES_OAEP_SHA_256", public), **into)
    blob = kms.encrypt(KeyId=key, Plaintext=b"both")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"both"
    call("DeleteImportedKeyMaterial", KeyId=key)
    time.sleep(1)  # the chores have looked for what is left over
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"both"
    refused("KMSInvalidStateException", "is pending import.", kms.decrypt, CiphertextBlob=blob)


wanted = sys.argv[1:]
case_key = new_key()["KeyId"]
failed = 0
for name, function in list(globals().items()):
    if not name.startswith("case_") or not callable(function) or (wanted and not any(word in name for word in wanted)):
        continue
    begun = datetime.datetime.now()
    try:
        function()
        print(f"ok     {name[5:]} ({(datetime.datetime.now() - begun).total_seconds():.1f} s)", flush=True)
    except Exception as error:  # pylint: disable=broad-except
        failed += 1
        line = error.__traceback__
        while line.tb_next is not None and line.tb_next.tb_frame.f_code.co_filename == __file__:
            line = line.tb_next
        print(f"FAILED {name[5:]}, line {line.tb_lineno}: {type(error).__name__}: {error}", flush=True)
sys.exit(1 if failed else 0)
